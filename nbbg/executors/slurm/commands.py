"""Slurm's own programs, each a call with its answer, or a sentence with Slurm's words."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE = 30.0  # seconds for an answer
_FORMAT = "%F|%K|%T|%r|%j"  # job of the array, indices, state, reason, name
_FIELDS = 5
_NOISE = re.compile(r"^(?:(sbatch|squeue|scancel|scontrol): )?(error: )?(slurm_\w+ error: )?")
_PART = re.compile(r"(\d+)(?:-(\d+))?(?::(\d+))?")
_ALONE = re.compile(r"(SLURM_(JOB|ARRAY|STEP|TASK|NODE|PROC|LOCAL|GTIDS|SUBMIT|RESTART)|SBATCH_)")


class NoAnswerError(EnvironmentFault):
    """Slurm did not answer in time: it may have done what it was asked, or do it yet."""


@dataclass(frozen=True)
class Line:
    """What squeue says of some tasks of one array."""

    job: str
    tasks: str  # as Slurm writes them: 3-9,12%4; N/A for what is no array
    state: str
    reason: str
    name: str

    def indices(self) -> Iterator[int]:
        """The tasks, one by one."""
        for match in _PART.finditer(self.tasks.partition("%")[0]):
            first, last, step = match.groups()
            yield from range(int(first), int(last or first) + 1, int(step or 1))


def sbatch(arguments: list[str], script: str, environment: Mapping[str, str] | None = None) -> str:
    """Submit a script; the job's id.

    Raises:
        NoAnswerError: nobody knows whether it was taken.
        EnvironmentFault: Slurm has not taken it; in its own words.
    """
    said = _sbatch(["--parsable", *arguments], script, environment)
    job = said.strip().rpartition("\n")[2].partition(";")[0]  # a site may have more said before
    if not job.isdigit():
        raise NoAnswerError(f"sbatch gave no job's id: {said.strip()[-200:]}")
    return job


def would_take(script: str) -> None:
    """Ask Slurm whether it would take a script; nothing is submitted.

    Raises:
        EnvironmentFault: it would not; in its own words.
    """
    _sbatch(["--test-only"], script)


def _sbatch(arguments: list[str], script: str, environment: Mapping[str, str] | None = None) -> str:
    given = dict(os.environ if environment is None else environment)
    bare = {name: value for name, value in given.items() if not _ALONE.match(name)}
    return _call(["sbatch", *arguments], text=script, environment=bare)


def squeue() -> list[Line]:
    """What Slurm has of this user's, also what ended a short while ago; one call, however much.

    Raises:
        EnvironmentFault: it can't be asked.
    """
    # Without its limit the indices of an array would be cut at 64 characters.
    words = ["squeue", "--noheader", f"--user={os.geteuid()}", "--states=all", "-o", _FORMAT]
    said = _call(words, environment={**_plain(), "SLURM_BITSTR_LEN": "0"})
    fields = (line.split("|", 4) for line in said.splitlines())
    return [Line(*(part.strip() for part in parts)) for parts in fields if len(parts) == _FIELDS]


def scancel(*words: str) -> None:
    """Cancel tasks.

    Raises:
        EnvironmentFault: it can't be asked.
    """
    _call(["scancel", "--quiet", *words], environment=_plain())


def scontrol(*words: str) -> str:
    """Ask or change something.

    Raises:
        EnvironmentFault: it can't be asked, or says no.
    """
    return _call(["scontrol", *words])


def sacct(*words: str) -> str:
    """Ask the accounting about jobs, each with its fields divided by `|`.

    Raises:
        EnvironmentFault: there is none.
    """
    return _call(["sacct", "--noheader", "--parsable2", "--allocations", *words])


def change(*words: str) -> None:
    """Change something of an array, for those of its tasks that it means anything to.

    Raises:
        EnvironmentFault: Slurm can't be asked, or says no.
    """
    try:
        scontrol(*words)
    except EnvironmentFault as fault:
        if not str(fault).endswith("Job has already finished"):
            raise


def largest_index() -> int:
    """The largest index that an array may have here."""
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", scontrol("show", "config"))
    return int(match[1]) - 1 if match else 1000


def _plain() -> dict[str, str]:
    """The environment without what would have these programs show, or cancel, only a part."""
    taken = ("SQUEUE_", "SCANCEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(taken)}


def missing() -> bool:
    """Whether Slurm's programs are not here."""
    return shutil.which("sbatch") is None or shutil.which("squeue") is None


def _call(
    words: list[str], text: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(
            words,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        message = f"there is no {words[0]} on this machine\nlog in where Slurm is"
        raise EnvironmentFault(message) from None
    except subprocess.TimeoutExpired:
        message = f"Slurm does not answer: {words[0]} took more than {PATIENCE:.0f} s"
        raise NoAnswerError(message) from None
    if done.returncode:
        raise EnvironmentFault(f"{words[0]}: {_own_words(done.stderr)}")
    return done.stdout


def _own_words(said: str) -> str:
    """The last thing that Slurm said, which names the cause."""
    lines = [_NOISE.sub("", line).strip() for line in said.splitlines() if line.strip()]
    causes = [line for line in lines if not line.startswith("Batch job submission failed")]
    short = [line.removeprefix("Batch job submission failed: ") for line in lines]
    return causes[0] if causes else (short[-1] if short else "no reason was given")
