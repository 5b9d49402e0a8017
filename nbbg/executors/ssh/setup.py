"""nbbg on a host: an environment of its own under `~/.cache/nbbg`, made at first use.

By `uv` where that is there, else by the newest Python there from 3.11 on. What is installed comes
from the host's package index, or from wheels that are carried over.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import files
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.executors.ssh import remote, wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.store.hosts import Host

_HOME = ".cache/nbbg/far"  # from the home folder there
_MAKE = """\
set -eu
umask 077
cd {home}
find . -maxdepth 1 -name 'new-*' -mmin +600 -exec rm -rf {{}} +
new={new} made={made}
find_python() {{
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        path=$(command -v "$name") || continue
        "$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
2>/dev/null && echo "$path" && return
    done
    echo 'it has neither uv nor a Python 3.11 or later with venv (python3-venv)' >&2
    return 1
}}
if command -v uv >/dev/null; then
    uv venv --quiet --python '>=3.11' "$new/env" >&2
    uv pip install --quiet --python "$new/env/bin/python" {how} "$new"/nbbg-*.whl >&2
else
    python=$(find_python)
    "$python" -m venv "$new/env" >&2
    "$new/env/bin/python" -m pip install --quiet --disable-pip-version-check {how} \
"$new"/nbbg-*.whl >&2
fi
"$new/env/bin/python" -P -c 'import nbbg' >&2
mv -T "$new" "$made" 2>/dev/null || [ -e "$made/env" ]
rm -rf "$new"
"""


def python(host: Host) -> str:
    """The interpreter there that has this nbbg, or will have it."""
    return host.nbbg or f"{_HOME}/{_name()}/env/bin/python"


def ask(
    host: Host,
    verb: str,
    request: Mapping[str, Any],
    patience: float = remote.PATIENCE,
    connect: int = remote.CONNECT,
) -> dict[str, Any]:
    """Have nbbg there do something; it is set up first where it is not, or not in this version.

    Args:
        host: where.
        verb: what to do, see `nbbg.far`.
        request: with what.
        patience: seconds for the answer.
        connect: seconds for the connection.

    Raises:
        NbbgError: it can't be reached, can't do it, or nbbg can't be set up there.
    """
    try:
        return remote.ask(host, python(host), verb, request, patience, connect)
    except remote.NoProgramError:
        make(host)
        return remote.ask(host, python(host), verb, request, patience, connect)


def make(host: Host) -> None:
    """Set nbbg up there.

    Raises:
        NbbgError: it can't be; nothing is left half made.
    """
    if host.nbbg:
        raise UsageError(
            f"{host.name}: {host.nbbg} is no Python with nbbg\n"
            f"leave it out, and nbbg is set up there: nbbg host remove {host.name}, and add it anew"
        )
    new = f"new-{os.urandom(6).hex()}"
    remote.call(host, ["sh", "-s"], f"umask 077\nmkdir -p {_HOME}/{new}\n")
    try:
        _carry(host, f"{_HOME}/{new}/")
        how = f"--no-index --find-links {new}" if host.wheels else ""
        script = _MAKE.format(home=_HOME, new=new, made=shlex.quote(_name()), how=how)
        _install(host, script)
    except remote.UnreachableError:
        raise
    except Exception:
        remote.call(host, ["rm", "-rf", f"{_HOME}/{new}"])
        raise


def _install(host: Host, script: str) -> None:
    try:
        remote.call(host, ["sh", "-s"], script, remote.SETUP_PATIENCE)
    except remote.UnreachableError:
        raise
    except EnvironmentFault as fault:
        if "No space left" in str(fault):
            raise
        again = f"nbbg host remove {host.name}, and add it with"
        wheels = "" if host.wheels else "--wheels FOLDER, where it has no package index; or with "
        advice = f"{again} {wheels}--nbbg PYTHON, one there that has nbbg"
        raise EnvironmentFault(f"{fault}\n{advice}") from fault


def _name() -> str:
    return f"{nbbg.__version__}-{wheel.digest()}"


def _carry(host: Host, target: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        name, data = wheel.make()
        files.write_new(Path(folder) / name, data)
        remote.push(host, f"{folder}/", target, "-r")
    if host.wheels:
        others = ("--exclude=nbbg-*.whl", "--include=*.whl", "--exclude=*")  # ours is this version
        remote.push(host, f"{host.wheels}/", target, "-r", *others)
