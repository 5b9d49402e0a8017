"""What is recorded of where a batch was launched.

The commit and what was changed since, versions, and the packages of the runs' interpreters.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import files, secrets
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault
from nbbg.store import imported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nbbg import model
    from nbbg.process.asking import Asked

PATIENCE = 5.0  # seconds for git
LARGEST_DIFF = 4 << 20  # bytes; notebooks with outputs make diffs that nobody reads
CUT = b"\n(cut here: the rest was too large)\n"
_KINDS = (".dist-info", ".egg-info")
# A diff that `git apply` takes, whatever the user has configured for reading one.
_PLAIN = ("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "core.quotePath=on")
_COMMIT = ("rev-parse", "HEAD")
_DIFF = (*_PLAIN, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD")


@dataclass(frozen=True)
class Git:
    """What git is asked about a project; it works while a launch goes on."""

    commit: Asked
    diff: Asked


@contextlib.contextmanager
def asking(root: Path) -> Iterator[Git | None]:
    """Have git begin; None where the project has no repository, or git can't be started."""
    with contextlib.ExitStack() as stack:
        found = None
        if _in_repository(root):
            with contextlib.suppress(OSError):
                commit, diff = (stack.enter_context(_ask(root, *how)) for how in (_COMMIT, _DIFF))
                found = Git(commit, diff)
        yield found


def of(git: Git | None) -> dict[str, Any]:
    """Versions, and the commit where there is one."""
    facts: dict[str, Any] = {
        "nbbg": nbbg.__version__,
        "python": sys.executable,
        "python_version": ".".join(str(part) for part in sys.version_info[:3]),
    }
    if commit := git.commit.answer(PATIENCE).strip() if git else b"":
        facts["commit"] = commit.decode()
    return facts


def dirty_diff(git: Git | None) -> bytes:
    """What differs from the commit, secrets masked; empty without a difference or a commit."""
    diff = git.diff.answer(PATIENCE) if git else b""
    for secret in secrets.values():
        diff = diff.replace(os.fsencode(secret), b"*" * len(secret))
    return diff[:LARGEST_DIFF] + CUT if len(diff) > LARGEST_DIFF else diff


def git_files(root: Path) -> tuple[list[str], list[str]] | None:
    """What git tracks below a folder, and what it neither tracks nor ignores; None without git.

    Raises:
        EnvironmentFault: git does not answer, or not in time.
    """
    if not _is_known_to_git(root):
        return None
    import subprocess

    lists = (["--cached"], ["--others", "--exclude-standard"])
    try:
        tracked, others = (_asked(root, "ls-files", "-z", *which) for which in lists)
    except (OSError, subprocess.SubprocessError) as error:
        message = f"git can't list the files of {root}: {error}\nleave out --freeze tree"
        raise EnvironmentFault(message) from error
    return _names(tracked), _names(others)


def packages(python: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The installed packages of an interpreter, name to version, without starting it.

    They are the names of the folders that pip writes, in the folders that the interpreter said it
    imports from, or where an environment has them.
    """
    if python == sys.executable:
        return _installed(sys.path)
    from nbbg.notebook.interpreters import remembering

    places = remembering.places(python, environment)
    prefix = Path(python).parent.parent
    return _installed(places or map(str, prefix.glob("lib*/python3*/site-packages")))


def all_packages(arms: Iterable[model.Arm], now: Mapping[str, str]) -> bytes:
    """The packages of each interpreter that arms run in, as a batch records them.

    Args:
        arms: of the batch.
        now: the environment that the launch hands to its runs.
    """
    from nbbg.notebook.interpreters import entering

    found: dict[str, dict[str, str]] = {}
    for arm in arms:
        if arm.python and arm.python not in found:
            given = entering.entered(now, arm.variables, arm.python)
            found[arm.python] = packages(arm.python, given)
    return files.to_json(found)


def lines(batch: model.Batch, run: model.Run, others: Iterable[model.Run]) -> list[tuple[str, str]]:
    """What `show` says of where a run comes from.

    Args:
        batch: the run's.
        run: to be shown.
        others: of its arm.
    """
    tree = batch.facts.get("tree")
    frozen = f"{tree['files']} files of the project" if tree else ""
    changed = "; ".join(imported.changes([run, *others]))
    return [
        ("commit", batch.facts.get("commit", "")),
        ("frozen", frozen),
        ("modules", changed),
    ]


def _installed(places: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place in places:
        with contextlib.suppress(OSError):
            for entry in os.listdir(place):
                stem, kind = os.path.splitext(entry)
                name, _, version = stem.partition("-")
                if kind in _KINDS and version:
                    found.setdefault(name.lower().replace("_", "-"), version.partition("-py")[0])
    return dict(sorted(found.items()))


def _names(data: bytes) -> list[str]:
    return [os.fsdecode(name).rstrip("/") for name in data.split(b"\0") if name]


def _in_repository(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _is_known_to_git(root: Path) -> bool:
    if not _in_repository(root):
        return False
    try:
        with _ask(root, "rev-parse", "--git-dir") as asked:
            return bool(asked.answer(PATIENCE))
    except OSError:  # there is a repository, and no git
        return False


def _ask(root: Path, *arguments: str) -> Asked:
    from nbbg.process.asking import Asked  # not for `show`

    # What git would note for itself takes a lock, and a git that is ended must leave none.
    return Asked(["git", "-C", str(root), *arguments], {**os.environ, "GIT_OPTIONAL_LOCKS": "0"})


def _asked(root: Path, *arguments: str) -> bytes:
    import subprocess

    done = subprocess.run(
        ["git", "-C", str(root), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout
