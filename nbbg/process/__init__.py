"""Processes: who they are, whether they live, how they are started and how whole trees end.

A process is its pid plus its start time: a bare pid is never trusted, and a zombie is dead.
"""

from __future__ import annotations

from nbbg.process.ending import (
    Watch,
    Watched,
    become_subreaper,
    end_tree,
    is_alone_with,
    reap_others,
    send,
    signal_name,
    wait_any,
)
from nbbg.process.machine import (
    LINUX,
    boot_id,
    booted_at,
    host,
    is_this_machine,
    machine,
    oom_kills,
    pid_namespace,
    up,
)
from nbbg.process.starting import (
    ask,
    own_program,
    spawn_detached,
    spawn_within,
)
from nbbg.process.table import (
    Process,
    alive,
    catches,
    cpu_seconds,
    group,
    identity,
    is_halted,
    marker,
    name,
    opened,
    processes,
    running,
    threads_of,
    tree,
    zombies_of,
)

__all__ = [
    "LINUX",
    "Process",
    "Watch",
    "Watched",
    "alive",
    "ask",
    "become_subreaper",
    "boot_id",
    "booted_at",
    "catches",
    "cpu_seconds",
    "end_tree",
    "group",
    "host",
    "identity",
    "is_alone_with",
    "is_halted",
    "is_this_machine",
    "machine",
    "marker",
    "name",
    "oom_kills",
    "opened",
    "own_program",
    "pid_namespace",
    "processes",
    "reap_others",
    "running",
    "send",
    "signal_name",
    "spawn_detached",
    "spawn_within",
    "threads_of",
    "tree",
    "up",
    "wait_any",
    "zombies_of",
]
