"""Every file name, folder and environment name of nbbg, spelled once.

The layout is drawn in ARCHITECTURE.md. Runs in the user's own interpreter: standard library,
Python 3.8.
"""

from __future__ import annotations

import os

# Names in the store, `.nbbg/`.
STORE = ".nbbg"
FORMAT = "format"
FORMAT_VERSION = 1
PAIRS = "pairs"
CONVERTED = "converted.json"  # among them
INDEX = "index.db"
BATCHES = "batches"
TRASH = "trash"  # what `nbbg clean` is about to remove
GITIGNORE = ".gitignore"
HOSTS = "hosts"  # the machines that runs are carried to over ssh: NAME.json
GIVEN_UP = "given-up.json"  # NAME.given-up.json: a person says that a host is gone for good
CALLED = "called"  # what this store is called on those machines
FROM = "from"  # there: what each of the stores that carry runs there has, by its token
CLIENT = "client.json"  # in it: whose it is
ANSWER = "nbbg-far "  # begins the line of an answer from there: a shell may print more

# Names in a batch, `batches/3/`.
BATCH = "batch.json"
PLAN = "plan.jsonl"
ARMS = "arms.jsonl"  # where they are many
FROZEN = "frozen"
TREE_FOLDER = "tree"  # the project's sources, with `--freeze tree`
TWINS = "twins"  # and what has runs import them
PACKAGES = "packages.json"
DIRTY = "dirty.diff"
SCRIPTS = "scripts"  # in it, those of the `plain` engine
GUEST = "guest"
EVENTS = "events.jsonl"
CHANGES = "changes"  # what a person changed since the launch: 1.json, 2.json, ...
JOBS = "jobs"  # submissions to a scheduler or host: 1.json, 1.id, and the script 1.sh
ASKED = "asked"  # on another machine: the batch and its plan as they came
TOLD = "told.json"  # what an executor last said; no fact
LOOK = "look-{}.json"  # what was seen after so many runs of each arm, and whether that decides
WARM = "warm.json"  # what the templates of its runs have imported, and left out
IMPORTING = "importing"  # there while runs wait for the imports of a template; no fact
SUPERVISOR_LOCK = "supervisor.lock"
SUPERVISOR_LOG = "supervisor.log"
RUNS = "runs"

# Names in a run, `runs/12/`.
CHECKPOINT = "checkpoint"
SAVED = "nbbg-saved.json"
CLEANED = "cleaned.json"  # what is kept of it when its attempts were cleaned away

# Names in an attempt, `runs/12/1/`. `STOP` is also a batch's.
TICKET = "ticket.json"
WAITING = "waiting.json"  # it found no slot at first
PROCESS = "process.json"
LOCK = "lock"
LOG = "log.txt"
CELLS = "cells.jsonl"
METRICS = "metrics.jsonl"
RESULTS = "results"
SCRATCH = "scratch"  # what an attempt had written on a disk of its machine
KEPT_JSON, KEPT_PICKLE, KEPT_LEFT_OUT = ".json", ".pickle", ".left-out"  # after their names
STOP = "stop.json"
UNBEGUN = "not-begun.json"  # the host that was to begin it says that it was stopped before
BOOTED = "resumed-at-boot.json"  # it was lost with the machine, and the next attempt came by itself
TRIMMING = "trimming.json"  # why a log that is too long can't be cut here
LIMIT = "limit.json"  # a limit of time that is over
STACKS = "stacks.txt"
RESULT = "result.json"
NO_ROOM = "no-room"  # it is over, and a full disk has no room for its result; empty
ENGINE = "engine.json"
ENVIRONMENT = "environment.json"
LISTENS = "listens"
IMPORTED = "imported.json"  # hashes of the project's own modules
MODULES = "modules.json"  # all that was loaded at the end, where a template is to learn of it
SPAWNED = "main"  # main-HASH.py: what processes that the notebook spawns import as its __main__
CONNECTION = "connection.json"  # to a live kernel: jupyter console --existing PATH

# Names in the environment of a run.
RUN_NUMBER = "RUN_NUMBER"
SEED = "SEED"
RUN_ID = "NBBG_RUN_ID"
RUN_DIR = "NBBG_RUN_DIR"
CHECKPOINT_DIR = "NBBG_CHECKPOINT_DIR"
SCRATCH_DIR = "NBBG_SCRATCH_DIR"
ATTEMPT = "NBBG_ATTEMPT"
ARM = "NBBG_ARM"
MARKER = "NBBG_MARKER"
PROJECT = "NBBG_PROJECT"  # its root
TREE = "NBBG_TREE"  # what was frozen of it
SPARE = "NBBG_UNUSED"  # in a template's environment, the place for MARKER, which is as long
VISIBLE_GPUS, GPU_ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
GROUPS = ("WANDB_RUN_GROUP", "MLFLOW_EXPERIMENT_NAME")
OF_A_RUN = (
    *(RUN_NUMBER, SEED, RUN_ID, RUN_DIR, CHECKPOINT_DIR, ATTEMPT, ARM, MARKER),
    *(PROJECT, TREE, SCRATCH_DIR),
)
# Of one run alone: a template has other values, or none.
OF_ONE_RUN = frozenset(
    (
        *(RUN_NUMBER, SEED, RUN_ID, RUN_DIR, CHECKPOINT_DIR, SCRATCH_DIR, ATTEMPT, ARM),
        *(MARKER, SPARE),
        *(VISIBLE_GPUS, GPU_ORDER, *GROUPS),
    )
)
MARKER_LENGTH = 32


def attempt_dir() -> str | None:
    """The folder of the attempt that this process belongs to, or None outside a run."""
    run, attempt = os.environ.get(RUN_DIR), os.environ.get(ATTEMPT)
    return os.path.join(run, attempt) if run and attempt else None
