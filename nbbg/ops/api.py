"""nbbg from Python: launch, look, wait, and run a notebook as if it were a function."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nbbg import model
from nbbg.errors import RunFailed, UsageError
from nbbg.ops import (
    asking,
    deciding,
    gather,
    keeping,
    project,
    reports,
    selection,
    sources,
    supervision,
    waiting,
)
from nbbg.ops.asked import target
from nbbg.ops.giving import Freedom
from nbbg.ops.launch import Request, launch
from nbbg.ops.layout import Layout
from nbbg.ops.pieces import Piece
from nbbg.ops.shapes import Given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Params = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | os.PathLike[str]

_LISTS = ("include", "exclude", "prepend", "append")
_OF_PIECE = (*_LISTS, "product", "recursive", "output_dir", "output")


class Run:
    """A run, as it is whenever it is asked: every field of `nbbg show --json` is an attribute."""

    def __init__(self, where: project.Project, number: int) -> None:
        self._where = where
        self.id = number

    def __repr__(self) -> str:
        report = self.report()
        return f"<Run {self.id}: {report.arm} {report.number}, {report.state}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.report(), name)

    def report(self) -> reports.RunReport:
        """All fields at one instant.

        Raises:
            UsageError: there is no such run.
        """
        with asking.index(self._where.store) as index:
            return reports.of_run(selection.one(index, str(self.id)))

    def results(self, *, trust: bool = False) -> keeping.Results:
        """The variables that it kept, by name.

        Args:
            trust: unpickle those that JSON can't hold, which executes whatever the pickle says;
                without it they are named, and asking for one is an error.
        """
        with asking.index(self._where.store) as index:
            return keeping.Results(keeping.of_run(selection.one(index, str(self.id))), trust=trust)

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until it has ended, at most `timeout` seconds; the run itself.

        Raises:
            TimeoutError: it has not ended.
        """
        for _ in as_completed([self], timeout=timeout):
            pass
        return self


class Batch:
    """What one `nbbg.run` set going: its runs, new ones and those that an earlier batch has."""

    def __init__(self, name: str | None, runs: Sequence[Run]) -> None:
        self.name = name
        self.runs = list(runs)

    def __repr__(self) -> str:
        return f"<Batch {self.name}: {len(self.runs)} runs>"

    @property
    def verdict(self) -> str:
        """What the last look says, where it runs until it is decided; empty before the first."""
        if self.name is None or not self.runs:
            return ""
        with asking.index(self.runs[0]._where.store) as index:  # noqa: SLF001 - our own class
            found = deciding.report(index, index.batch(int(self.name[1:])))
        return (found.verdict or "") if found else ""

    def wait(self, timeout: float | None = None) -> Batch:
        """Wait until every run has ended, at most `timeout` seconds; the batch itself.

        Raises:
            TimeoutError: some have not ended.
        """
        for _ in as_completed(self.runs, timeout=timeout):
            pass
        return self


def run(
    *notebooks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    runs: int | str | None = None,
    params: Params | None = None,
    seed: int = 0,
    name: str | None = None,
    note: str = "",
    mix: bool = False,
    results: Sequence[str] = (),
    **settings: Any,
) -> Batch:
    """Launch notebooks in the background and return at once, as `nbbg run` does.

    Args:
        notebooks: paths of notebooks, percent scripts and folders, and globs.
        runs: 20 for all of 1..20, "+20" for twenty more, None for one more.
        params: values by name; a list of values makes an arm of each, lists of several names
            are taken side by side. Or a list of such sets, or named configurations, or the path
            of a YAML or JSON file of any of them.
        seed: the base; run k has seed + k.
        name: the arm's name; for several arms a template, such as "base/{arm}".
        note: any text, kept with the batch.
        mix: go on with an arm although its notebook has changed.
        results: variables to keep after the last cell.
        settings: `jobs`, `engine`, `executor`, `python`, `timeout`, `cell_timeout` (seconds, or
            a text such as "1h30m"), `allow_errors` and the other settings; and as on the command
            line `product` (every combination of lists), `allow_new_params`, `allow_any_type`;
            `recursive`, `include`, `exclude` (lists of globs); `output_dir`, `output` (a
            template), `prepend` and `append` (lists of parameters' names, or words);
            `until="decided"` with `metric`, `max_runs`, `lower_is_better` and `baseline`.

    Raises:
        NbbgError: what was asked can't be done; nothing was launched then.
    """
    freedom = _freedom(settings)
    of_until = {option: settings.pop(option, None) for option in deciding.OPTIONS}
    until = deciding.asked(settings.pop("until", None), runs, of_until)
    piece = _piece(_paths(notebooks), {} if params is None else params, settings)
    where = project.here(settings)
    request = Request(
        pieces=[piece],
        target=until.target if until else target(runs),
        until=until,
        seed=seed,
        name=name,
        note=note,
        mix=mix,
        freedom=freedom,
        results=_names(results),
    )
    launched = launch(where, request)
    if launched.foreground:
        supervision.ensure(where, launched.foreground)
    found = [Run(where, number) for number in launched.runs()]
    return Batch(launched.batch.name if launched.batch else None, found)


def runs(*names: str) -> list[Run]:
    """The runs of the current project: those named as on the command line, or all."""
    where = project.here()
    with asking.index(where.store) as index:
        found = selection.select(index, names) if names else index.runs()
        return [Run(where, run.id) for run in found]


def as_completed(runs: Iterable[Run], *, timeout: float | None = None) -> Iterator[Run]:
    """Each run as soon as it has ended.

    Raises:
        TimeoutError: `timeout` seconds are over and some have not ended.
        Abandoned: some are queued, and nobody will start them.
    """
    known = {run.id: run for run in runs}
    if not known:
        return
    where = next(iter(known.values()))._where  # noqa: SLF001 - our own class
    with asking.index(where.store) as index:
        for ended in waiting.as_they_end(index, known, timeout):
            yield known[ended.id]


def run_notebook(
    notebook: str | os.PathLike[str],
    results: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Any, ...]:
    """Run a notebook anew, wait for it, and return the named variables of its end.

    What the notebook does not define is None. What JSON can't hold is pickled there and unpickled
    here, so this interpreter needs the modules of those values.

    Args:
        notebook: its path, or its name without `.ipynb` or `.py`.
        results: names of variables.
        params: values by name.
        settings: as of `run`.

    Raises:
        RunFailed: it did not succeed, and the message names the cell and the exception; or one of
            the variables can't be pickled.
        StoreError: one of the variables can't be unpickled here.
        NbbgError: it could not be launched.
    """
    freedom = _freedom(settings)
    where = project.here(settings)
    request = Request(
        pieces=[Piece([os.fspath(notebook)], [Given(dict(params or {}))])],
        freedom=freedom,
        results=_names(results),
    )
    (run,) = carried_out(where, request)
    number = run.id
    if said := failure(run):
        raise RunFailed(said)
    with asking.index(where.store) as index:
        found = keeping.of_run(selection.one(index, str(number)))
    return tuple(_own(found, name, number) for name in results)


def carried_out(where: project.Project, request: Request) -> list[Run]:
    """Launch, and wait until all runs have ended, however that was.

    Raises:
        NbbgError: what was asked can't be done; nothing was launched then.
    """
    launched = launch(where, request)
    batch = launched.batch
    try:
        if launched.foreground:
            supervision.ensure(where, launched.foreground)
        return Batch(None, [Run(where, number) for number in launched.runs()]).wait().runs
    except KeyboardInterrupt as error:
        if batch:
            name = str(batch.first) if batch.first == batch.last else batch.name
            what = f"run {name} goes on" if batch.first == batch.last else f"{name} goes on"
            error.add_note(f"{what}; to end it: nbbg stop {name}")
        raise


def failure(run: Run) -> str:
    """Why a run that has ended did not succeed, in two lines; empty where it did."""
    report = run.report()
    if report.state == model.Succeeded.word:
        return ""
    what = f"run {report.id} of {report.notebook}: {report.state}, {report.reason}"
    return f"{what}\nsee: nbbg show {report.id}"


def _paths(notebooks: Iterable[Any]) -> list[str]:
    """The names in a list of names, or of lists of names."""
    found: list[str] = []
    for one in notebooks:
        found += [os.fspath(one)] if isinstance(one, (str, os.PathLike)) else _paths(one)
    return found


def _piece(notebooks: Sequence[str], params: Params, settings: dict[str, Any]) -> Piece:
    """What is to be run, with its options taken out of the settings."""
    given = {name: settings.pop(name, None) for name in _OF_PIECE}
    lists = {name: _texts(name, given[name]) for name in _LISTS}
    folder = given["output_dir"]
    return Piece(
        notebooks,
        sources.of_python(params, product=bool(given["product"])),
        Layout(
            os.path.abspath(folder) if folder else "",
            given["output"] or "",
            lists["prepend"],
            lists["append"],
        ),
        gather.selection(
            recursive=bool(given["recursive"]),
            include=lists["include"] or (),
            exclude=lists["exclude"] or (),
        ),
    )


def _texts(option: str, given: Sequence[str] | None) -> Sequence[str] | None:
    if isinstance(given, str):
        message = f'{option}={given!r}: a list of texts, such as {option}=["{given}"]'
        raise UsageError(message)
    return given


def _names(results: Sequence[str]) -> Sequence[str]:
    if isinstance(results, str):
        message = f'results={results!r}: a list of names, such as results=["{results}"]'
        raise UsageError(message)
    return results


def _freedom(settings: dict[str, Any]) -> Freedom:
    """What is allowed, taken out of the settings."""
    new_names = bool(settings.pop("allow_new_params", False))
    return Freedom(new_names, bool(settings.pop("allow_any_type", False)))


def _own(found: Mapping[str, keeping.Kept], name: str, number: int) -> Any:
    """A variable that this very call has asked for: its own pickle may be read back."""
    kept = found.get(name)
    if kept is None:
        return None
    try:
        return kept.load()
    except UsageError as error:  # it was there, and could not be kept
        message = f"run {number}: {kept.problem}"
        raise RunFailed(message) from error
