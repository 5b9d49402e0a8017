"""`nbbg host`: the machines that runs are carried to over ssh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nbbg.cli import output, reading, table
from nbbg.errors import NbbgError, UsageError
from nbbg.ops import hosts as ops
from nbbg.ops import project
from nbbg.store import hosts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from nbbg.ops.project import Project
    from nbbg.store.hosts import Host

_HEAD = ("host", "where", "says")


def command(arguments: argparse.Namespace) -> int:
    """Do what was asked about hosts."""
    verbs: dict[str, Callable[[Project, argparse.Namespace], int]] = {
        "add": _add,
        "list": _list,
        "check": _check,
        "remove": _remove,
        "give-up": _give_up,
        "adopt": _adopt,
    }
    return verbs[arguments.verb](project.here(), arguments)


def _add(where: Project, arguments: argparse.Namespace) -> int:
    names = ("python", "nbbg", "wheels")
    more = {name: value for name in names if (value := getattr(arguments, name))}
    host = ops.add(where, arguments.name, arguments.place, more)
    print(f"{host.name}: {host.target}, in {host.path}\n  nbbg host check {host.name}")
    return 0


def _list(where: Project, arguments: argparse.Namespace) -> int:
    known = hosts.known(where.store.folder)
    if arguments.json:
        output.document([{**vars(host), **_mark(where, host)} for host in known])
        return 0
    if not known:
        print("no hosts yet\n  nbbg host add gpu1 user@machine:folder")
        return 0
    table.show(_HEAD, [_row(host, _given_up(where, host)) for host in known])
    return 0


def _check(where: Project, arguments: argparse.Namespace) -> int:
    store = where.store.folder
    chosen = [hosts.read(store, name) for name in arguments.names] or hosts.known(store)
    if not chosen:
        raise UsageError("no hosts yet\nnbbg host add gpu1 user@machine:folder")
    code = 0
    found: list[dict[str, Any]] = []
    for host in chosen:
        try:
            said, ahead = ops.check(host)
        except NbbgError as fault:
            code = 1
            found.append({"name": host.name, "fault": str(fault)})
            if not arguments.json:
                output.say(str(fault))
            continue
        found.append({"name": host.name, **said, "ahead": round(ahead, 1)})
        if not arguments.json:
            _tell(host, said, ahead)
    if arguments.json:
        output.document(found)
    return code


def _tell(host: Host, said: dict[str, Any], ahead: float) -> None:
    print(f"{host.name}: {said['host']}, {said['folder']}")
    gpus = f"GPU {' '.join(said['gpus'])}" if said["gpus"] else "no GPU"
    free = f"{said['free'] / 1e9:.0f} GB free"
    print(f"  {said['cpus']} CPUs, {gpus}, {free}, its clock {ahead:+.1f} s")
    print(f"  nbbg {said['version']}, Python {said['python']}; runs in {said['runs']}")
    for note in ops.notes(said, ahead):
        print(f"  {note}")


def _remove(where: Project, arguments: argparse.Namespace) -> int:
    with reading.index(where) as index:
        at_work = [
            f"b{number}"
            for number in index.unfinished()
            if arguments.name in ops.dealt_to(where, [number])
            and not hosts.given_up(where.store.folder, arguments.name)[1]
        ]
    ops.remove(where, arguments.name, at_work)
    print(f"{arguments.name} is forgotten; what is there stays there")
    return 0


def _give_up(where: Project, arguments: argparse.Namespace) -> int:
    ops.give_up(where, arguments.name)
    print(f"{arguments.name} is given up: its runs without a result are lost")
    print("  nbbg resume         they go to the other hosts of their batch; --on, to others")
    return 0


def _adopt(where: Project, arguments: argparse.Namespace) -> int:
    host = hosts.read(where.store.folder, arguments.name)
    found = ops.left(host)
    chosen = [each for each in found if each.token == arguments.store]
    if not found:
        print(f"no client has left anything on {host.name}, in {host.path}")
        return 0
    if not chosen:
        if arguments.store:
            output.say(f"there is no {arguments.store} on {host.name}")
        for each in found:
            print(each)
        print(f"  nbbg host adopt {host.name} {found[0].token}")
        return 2 if arguments.store else 0
    new = ops.adopt(where, host, chosen[0])
    project.remember(where)
    print(f"adopted: {', '.join(f'b{number}' for number in new) or 'nothing that was not here'}")
    known = {each.name for each in hosts.known(where.store.folder)}
    for name in ops.dealt_to(where, where.store.batch_numbers()):
        if name not in known:
            output.say(
                f"some of their runs are on {name}: nbbg host add {name} user@machine:folder"
            )
    print("  nbbg status")
    return 0


def _row(host: Host, says: str) -> tuple[str, ...]:
    return host.name, f"{host.target}:{host.path}", says


def _given_up(where: Project, host: Host) -> str:
    by, at = hosts.given_up(where.store.folder, host.name)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    return f"given up by {by}, {when}" if at else ""


def _mark(where: Project, host: Host) -> dict[str, str]:
    return {"given_up_by": hosts.given_up(where.store.folder, host.name)[0]}
