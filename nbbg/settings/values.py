"""What the text of a setting means: one function a kind of value.

Each takes what the command line, the environment, `.env` or pyproject.toml has, and what a path
in it is relative to; a value that can't be meant is a ValueError that says what it must be.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import model, patterns
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("", "ipython", "kernel", "plain")
FREEZE = (NOTEBOOK, TREE) = ("notebook", "tree")
WARM = (model.AUTO, model.ON, model.OFF)
GPU = patterns.late(r"[0-9]{1,4}|(GPU|MIG)-[0-9A-Za-z/-]+")  # as nvidia-smi -L has them
MOST = 1_000_000  # of anything that is counted
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = patterns.late(r"(\d+(?:\.\d+)?|\.\d+)\s*(d|h|min|m|s)?\s*")
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class BadValueError(ValueError):
    """A value that can't be meant; says what it must be."""


@dataclass(frozen=True)
class Place:
    """What a value is relative to, when it is read."""

    folder: Path
    home: Path


def count(value: Any, _: Place) -> int:
    """A whole number, 1 or more."""
    return _whole(value, least=1)


def number(value: Any, _: Place) -> int:
    """A whole number; 0 is one."""
    return _whole(value, least=0)


def _whole(value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadValueError(f"must be a whole number, {least} or more")
    try:
        number = int(value)
    except ValueError:
        raise BadValueError(f"must be a whole number, {least} or more") from None
    if number < least:
        raise BadValueError(f"must be {least} or more")
    if number > MOST:
        raise BadValueError(f"must be at most {MOST}")
    return number


def count_or_none(value: Any, place: Place) -> int:
    """A number, or `none` against one that is set elsewhere."""
    return 0 if str(value).strip().lower() == "none" else count(value, place)


def options(value: Any, _: Place) -> tuple[str, ...]:
    """What is handed on as it is: one text, or several."""
    given = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str) for each in given):
        raise BadValueError("must be text, such as partition=gpu,time=4:00:00")
    return tuple(each for each in given if each.strip())


def gpus(value: Any, _: Place) -> tuple[str, ...]:
    """Numbers or UUIDs; or `all`, or `none` against what is set elsewhere."""
    given = value if isinstance(value, list | tuple) else [value]
    found = [name for each in given for name in _split(str(each)) if not isinstance(each, bool)]
    if found == ["none"]:
        return ()
    if not found or not (found == ["all"] or all(GPU.fullmatch(name) for name in found)):
        raise BadValueError("must be numbers or UUIDs as nvidia-smi -L has them, or all")
    return tuple(str(int(name)) if name.isdigit() else name for name in found)


def seconds(value: Any, _: Place) -> float:
    """Seconds, 0 or more."""
    return _number(value, "seconds")


def days(value: Any, _: Place) -> float:
    """Days, 0 or more."""
    return _number(value, "days")


def _number(value: Any, unit: str) -> float:
    message = f"must be a number of {unit}, 0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadValueError(message)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadValueError(message) from None
    if not 0 <= number < float("inf"):
        raise BadValueError(message)
    return number


def duration(value: Any) -> float:
    """Seconds of what a person types: 90, 90s, 10m, 2h, 1h30m, 1d.

    Raises:
        ValueError: it is no duration, or none that is longer than nothing.
    """
    text = "" if isinstance(value, bool) else str(value).strip().lower()
    parts = _DURATION.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    bare = [unit for _, unit in parts].count("") > (len(parts) == 1)
    if _DURATION.sub("", text) or bare or not 0 < seconds < float("inf"):
        raise BadValueError("must be a duration longer than 0, such as 90s, 10m, 2h or 1h30m")
    return seconds


def limit(value: Any, _: Place) -> float:
    """A duration, or `none` against one that is set elsewhere."""
    return 0.0 if str(value).strip().lower() == "none" else duration(value)


def delay(value: Any, _: Place) -> float:
    """A duration; 0 is one."""
    try:
        return 0.0 if str(value).strip() in ("0", "0s") else duration(value)
    except BadValueError as error:
        raise BadValueError(str(error).replace(" longer than 0", "")) from None


def endings(value: Any, place: Place) -> tuple[str, ...]:
    """Words for states, in any spelling of `timed out`."""
    texts = value.split(",") if isinstance(value, str) else names(value, place)
    words = tuple(text.strip().replace("-", " ").replace("_", " ") for text in texts)
    if set(words) - set(model.RETRIABLE) or not words:
        known = ", ".join(word.replace(" ", "-") for word in model.RETRIABLE)
        raise BadValueError(f"must be some of {known}, separated by commas")
    return words


def flag(value: Any, _: Place) -> bool:
    """A yes or no."""
    found = _FLAGS.get(str(value).strip().lower())
    if found is None:
        raise BadValueError("must be true or false")
    return found


def flag_or_auto(value: Any, place: Place) -> str:
    """A yes or no as a word, or `auto`."""
    if str(value).strip().lower() == "auto":
        return "auto"
    try:
        return "true" if flag(value, place) else "false"
    except BadValueError:
        raise BadValueError("must be true, false or auto") from None


def size(value: Any, _: Place) -> int:
    """Bytes; `10MB` and `10M` are ten million of them, `10MiB` are 10 * 1024 * 1024."""
    text = str(value).strip().upper().removesuffix("B").rstrip()
    base = 1024 if text.endswith("I") else 1000
    text = text.removesuffix("I")
    number = text.rstrip("KMGT")
    power = " KMGT".find(text[len(number) :] or " ")
    try:
        size = round(float(number) * base**power) if power >= 0 else -1
    except (ValueError, OverflowError):
        size = -1
    if size < 0 or isinstance(value, bool):
        raise BadValueError("must be a size such as 10MB, or 0 for no limit")
    return size


def string(value: Any, _: Place) -> str:
    """A text, or a path as one."""
    if not isinstance(value, str | os.PathLike):
        raise BadValueError("must be a text")
    return os.fspath(value).strip()


def engine(value: Any, place: Place) -> str:
    """An engine's name, or nothing."""
    engine = string(value, place)
    if engine not in ENGINES:
        raise BadValueError(f"must be {', '.join(filter(None, ENGINES))}")
    return engine


def freeze(value: Any, place: Place) -> str:
    """What is frozen at launch."""
    what = string(value, place)
    if what not in FREEZE:
        raise BadValueError(f"must be {' or '.join(FREEZE)}")
    return what


def warm(value: Any, place: Place) -> str:
    """Whether runs are forked from a process that has imported."""
    when = string(value, place)
    if when not in WARM:
        raise BadValueError(f"must be {', '.join(WARM[:-1])} or {WARM[-1]}")
    return when


def preload(value: Any, place: Place) -> tuple[str, ...]:
    """Names of modules; a `-` before one that is not to be imported."""
    found = names(value, place)
    for name in found:
        if not all(part.isidentifier() for part in name.removeprefix("-").split(".")):
            raise BadValueError(f"{name!r} is no name of a module; such as torch,-tensorflow")
    return found


def path(value: Any, place: Place) -> str:
    """An absolute path, seen from the place of the setting; or nothing."""
    text = string(value, place)
    if text == "~" or text.startswith("~/"):
        text = str(place.home) + text[1:]
    return os.path.normpath(place.folder.absolute() / text) if text else ""


def place_there(value: Any, place: Place) -> str:
    """A folder of the machine that a run works on; its variables are filled in there."""
    text = string(value, place)
    if text and not text.startswith(("/", "$", "~")):
        raise BadValueError("must begin with /, ~ or a variable, such as $TMPDIR")
    return text


def python(value: Any, place: Place) -> str:
    """A path is made absolute; `conda:NAME` and a name on PATH stay."""
    text = string(value, place)
    is_path = os.sep in text or text.startswith((".", "~")) or os.path.exists(place.folder / text)
    return path(text, place) if is_path and not text.startswith("conda:") else text


def exit_file(value: Any, place: Place) -> str:
    """A bare name is a hidden file in the home folder."""
    text = string(value, place)
    if text and os.sep not in text and text not in ("~", ".", ".."):
        return str(place.home / f".{text.removeprefix('.')}")
    return path(text, place)


def names(value: Any, _: Place) -> tuple[str, ...]:
    """Names, separated by spaces or commas, or a list of them."""
    if isinstance(value, str):
        return tuple(_split(value))
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise BadValueError("must be names, separated by spaces or commas")


def notebooks(value: Any, place: Place) -> tuple[str, ...]:
    """From the project's own files, relative to the project; else as typed."""
    found = names(value, place)
    if place.folder == Path.cwd():
        return found
    return tuple(os.path.relpath(place.folder / name) for name in found)


def _split(text: str) -> Iterator[str]:
    import shlex  # which few commands need

    words = shlex.shlex(text, posix=True)
    words.whitespace += ","
    words.whitespace_split = True
    words.commenters = ""
    yield from words
