"""Which GPUs the runs of a launch take turns on: looked up where NVML can tell, before anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import gpus, settings
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.paths import VISIBLE_GPUS
from nbbg.settings import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.settings import Settings

ALL = ("all",)


@dataclass(frozen=True)
class Cards:
    """The GPUs of a launch."""

    gpus: Mapping[str, str]  # as CUDA_VISIBLE_DEVICES names it -> what its slots are named after
    notes: Sequence[str] = ()


def choose(chosen: Settings, environment: Mapping[str, str]) -> Cards:
    """The GPUs that were asked for.

    Raises:
        UsageError: there is no such GPU, or one is named twice.
        EnvironmentFault: NVML is needed, and can't be asked.
    """
    if not chosen.gpus:
        _refuse_alone(chosen)
        return Cards({})
    if chosen.executor == "ssh":  # each machine has its own, and looks them up itself
        return Cards({})
    try:
        known = gpus.known()
    except EnvironmentFault as fault:
        if chosen.gpu_free:
            raise
        names, note = _unseen(chosen.gpus, environment, fault)
        return Cards(_once({name: name for name in names}, names), (note,))
    names = _visible(environment, known) if chosen.gpus == ALL else chosen.gpus
    return Cards(_once({name: _key(name, known) for name in names}, names))


def jobs(chosen: Settings, found: Mapping[str, str]) -> int:
    """How many runs go on at once: as many as there are GPU slots, unless somebody said."""
    if found and chosen["jobs"].source == settings.DEFAULT:
        return len(found) * chosen.per_gpu
    return chosen.jobs


def _refuse_alone(chosen: Settings) -> None:
    """An option about GPUs without any is a slip; a setting in a file is not."""
    for name in ("per_gpu", "gpu_free"):
        source = chosen[name].source
        if source.startswith("--") and chosen[name].value not in (0, 1):
            raise UsageError(f"{source} is for runs on GPUs\nwhich? --gpus 0,1, or --gpus all")


def _unseen(
    asked: Sequence[str], environment: Mapping[str, str], fault: EnvironmentFault
) -> tuple[Sequence[str], str]:
    """The GPUs by their names alone, and what is said about that."""
    why, *advice = str(fault).split("\n")
    if asked != ALL:
        return asked, f"{why}, so whether there is GPU {', '.join(asked)} was not looked up"
    if VISIBLE_GPUS not in environment:
        advice.append("or name them: --gpus 0,1")
        raise EnvironmentFault(f"--gpus all: {why}\n{'; '.join(advice)}")
    return _of_variable(environment), f"{why}, so {VISIBLE_GPUS} is believed"


def _visible(environment: Mapping[str, str], known: Mapping[str, str]) -> Sequence[str]:
    """All of them that the user, or Slurm, lets programs see."""
    found = _of_variable(environment) if VISIBLE_GPUS in environment else list(known)
    if not found:
        raise UsageError("--gpus all: there is no GPU here\nsee: nvidia-smi -L")
    return found


def _of_variable(environment: Mapping[str, str]) -> list[str]:
    """As CUDA reads it: up to the first name that means none."""
    found: list[str] = []
    for text in environment[VISIBLE_GPUS].split(","):
        name = text.strip()
        if not values.GPU.fullmatch(name):
            break
        found.append(name)
    if not found:
        shown = f"{VISIBLE_GPUS}={environment[VISIBLE_GPUS]}"
        raise UsageError(f"--gpus all: {shown} hides every GPU\nunset it, or name them: --gpus 0")
    return found


def _key(name: str, known: Mapping[str, str]) -> str:
    """The UUID of a GPU. Slices of one (MIG) are not looked up.

    Raises:
        UsageError: there is no such GPU.
    """
    if name.startswith("MIG-"):
        return name
    found = [known[name]] if name in known else []
    if name.startswith("GPU-"):
        found = [uuid for uuid in known.values() if uuid.startswith(name)]
    if len(found) != 1:
        there = f"there are: {', '.join(known)}" if known else "there is none"
        raise UsageError(f"--gpus {name}: no such GPU; {there}\nsee: nvidia-smi -L")
    return found[0]


def _once(found: Mapping[str, str], names: Sequence[str]) -> Mapping[str, str]:
    if len(set(found.values())) < len(names):
        raise UsageError("--gpus names a GPU twice\nseveral runs on each: --per-gpu 2")
    return found
