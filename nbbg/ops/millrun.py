"""`execute_run`, for programs that call millrun's: its arguments, its names, its files.

Each set of parameters is a new run. Of a failing run millrun says nothing; here it is an exception,
raised when all the others are done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import RunFailed, UsageError
from nbbg.ops import api, asked, pieces, project, sources
from nbbg.ops.giving import Freedom
from nbbg.ops.launch import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN = 5  # failures in a message
_OURS = frozenset({"jobs", "engine", "executor", "python", "watchdog", "allow_errors"})
_OF_CELLS = ("execution_timeout", "timeout")  # seconds, of each cell
# What changes nothing here: a run's log, output and record are always kept.
_IGNORED = frozenset(
    {
        *("progress_bar", "log_output", "request_save_on_cell_execute", "autosave_cell_every"),
        *("start_timeout", "report_mode", "profile_name"),
    }
)


def execute_run(  # noqa: PLR0913, PLR0917 - millrun's own signature
    notebook_dir_or_file: str | os.PathLike[str],
    notebook_params: api.Params | None = None,
    output_dir: str | os.PathLike[str] | None = None,
    prepend: Sequence[str] | None = None,
    append: Sequence[str] | None = None,
    recursive: bool = False,  # noqa: FBT001, FBT002 - the same
    exclude_glob_pattern: str | None = None,
    include_glob_pattern: str | None = None,
    use_multiprocessing: bool = False,  # noqa: FBT001, FBT002 - the same
    **kwargs: Any,
) -> list[Path]:
    """Run a notebook, or all in a folder, with each set of parameters, and wait for them.

    Args:
        notebook_dir_or_file: a notebook or a folder of them.
        notebook_params: a list of dicts, a dict of lists of one length, or the path of a JSON or
            YAML file with either; `bulk_params` is its older name.
        output_dir: where the executed notebooks go; None: beside the notebooks.
        prepend: names of parameters, or texts, that stand before the notebook's name, joined by
            `-`; None: the index of the set, from 0; older: `output_prepend_components`.
        append: those that stand after it; older: `output_append_components`.
        recursive: search the folders in the folder too.
        exclude_glob_pattern: files of a folder that are left out.
        include_glob_pattern: files of a folder that are taken; None: `*.ipynb`.
        use_multiprocessing: as many runs at a time as there are processors; else one.
        kwargs: `timeout` or `execution_timeout` (seconds that a cell may take), `engine`, `jobs`,
            `python`, `executor`, `watchdog`, `allow_errors`, `working_directory`. Those of
            papermill that change nothing here are named on stderr; others are refused.

    Returns:
        The executed notebooks, in order.

    Raises:
        RunFailed: some did not succeed; the message names each with its cell and its exception.
        NbbgError: what was asked can't be done; nothing was started then.
    """
    given = _renamed(
        {"notebook_params": notebook_params, "prepend": prepend, "append": append}, kwargs
    )
    base = Path(kwargs.pop("working_directory", ""))
    settings = _settings(kwargs, parallel=use_multiprocessing)
    piece = pieces.like_millrun(
        str(base / notebook_dir_or_file),
        sources.of_python(_from(base, given["notebook_params"])),
        folder=os.path.abspath(base / output_dir) if output_dir is not None else "",
        prepend=given["prepend"],
        append=given["append"],
        recursive=recursive,
        exclude=exclude_glob_pattern,
        include=include_glob_pattern,
    )
    request = Request(
        pieces=[piece],
        target=asked.target(None),
        freedom=Freedom(new_names=True, any_type=True),
        mix=True,
    )
    done = api.carried_out(project.here(settings), request)
    _raise_failures(done)
    return [Path(run.output) for run in done]


def _renamed(given: dict[str, Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments, those under their older names too."""
    for older, name in pieces.OLDER.items():
        if older in kwargs:
            value = kwargs.pop(older)
            if given[name] is not None:
                raise UsageError(f"{older} is the older name of {name}; give one of them")
            given[name] = value
    for name in ("prepend", "append"):
        if isinstance(given[name], str):
            message = f'{name}={given[name]!r}: a list of texts, such as {name}=["{given[name]}"]'
            raise UsageError(message)
    if given["notebook_params"] is None:
        raise UsageError("notebook_params: a list of dicts, a dict of lists, or a file of either")
    return given


def _from(base: Path, params: Any) -> Any:
    return base / params if isinstance(params, (str, os.PathLike)) else params


def _settings(kwargs: Mapping[str, Any], *, parallel: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"jobs": os.cpu_count() or 1 if parallel else 1}
    engine = kwargs.get("engine", kwargs.get("engine_name"))
    if engine not in (None, "nbclient"):
        found["engine"] = engine
    ignored, unknown = [], []
    for name, value in kwargs.items():
        if name in _OF_CELLS:
            found["cell_timeout"] = value
        elif name in _OURS - {"engine"}:
            found[name] = value
        elif name in _IGNORED:
            ignored.append(name)
        elif name not in ("engine", "engine_name"):
            unknown.append(name)
    if unknown:
        there = ", ".join(sorted({*_OURS, *_OF_CELLS}))
        raise UsageError(f"{', '.join(unknown)}: means nothing to nbbg; there are: {there}")
    if ignored:
        sys.stderr.write(f"nbbg: {', '.join(ignored)}: of papermill, and changes nothing here\n")
    return {name: value for name, value in found.items() if value is not None}


def _raise_failures(done: Sequence[api.Run]) -> None:
    failures = [said for run in done if (said := api.failure(run))]
    if failures:
        more = [f"and {len(failures) - SHOWN} more: nbbg status"] if failures[SHOWN:] else []
        several = f"{len(failures)} of {len(done)} runs did not succeed"
        head = [several] if len(done) > 1 else []
        raise RunFailed("\n".join([*head, *failures[:SHOWN], *more]))
