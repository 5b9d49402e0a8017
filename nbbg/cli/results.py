"""`nbbg results`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from nbbg.cli import kept, output, ranked, reading, table
from nbbg.errors import UsageError
from nbbg.ops import selection
from nbbg.results import expressions, ranking, reducing, rows, values
from nbbg.store import imported

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg import model

_HEAD = ("arm", "number", "seed", "run", "state", "time")
_FILE = ".json"  # ends a name that is no run's, but that of `--json`'s file


def command(arguments: argparse.Namespace) -> int:
    """One row a run, by arm and number, in the order of a column, or of a metric."""
    file = _file_of_json(arguments)
    _refuse_what_would_do_nothing(arguments)
    how = reducing.parse(arguments.reduce, lower_is_better=arguments.lower_is_better)
    _refuse_best_of_all(how, arguments)
    runs = _chosen(arguments)
    if arguments.where and not runs:
        output.say(f"no run matches {' and '.join(arguments.where)}")
    if arguments.to:
        return _send(runs, arguments.to)
    if arguments.best:
        found = ranking.rank(runs, arguments.best, how)
        if arguments.csv:
            return _csv(ranked.in_order(found), arguments.csv)
        if arguments.json:
            return _json(ranked.to_json(found, arguments.best, how), len(runs), file)
        return ranked.show(found, runs, arguments.best)
    if how.kind != reducing.LAST:
        runs = _reduced(runs, how)
    if arguments.csv:
        return _csv(runs, arguments.csv)
    if arguments.json:
        return _json([kept.report(run) for run in runs], len(runs), file)
    return _show(runs, chosen=bool(arguments.where))


def _chosen(arguments: argparse.Namespace) -> list[model.Run]:
    """The runs that are asked for, in the order that is asked for."""
    where = reading.here()
    with reading.index(where) as index:
        runs = selection.Runs(index, arguments.ids) if arguments.ids else index.each()
        found = values.current(runs)
    found = expressions.matching(found, arguments.where, output.say)
    if not arguments.sort:
        return found
    get = rows.getter(arguments.sort, found)
    if get is None and found:
        there = ", ".join(rows.known(found))
        raise UsageError(f"--sort {arguments.sort}: there is no such column\nthere are {there}")
    return rows.ordered(found, get, reverse=arguments.reverse) if get else found


def _show(runs: list[model.Run], *, chosen: bool) -> int:
    names, params, several = values.metrics(runs), rows.differing(runs), rows.are_several(runs)
    titles = [f"{rows.PARAMS}{name}" if name in (*names, *_HEAD) else name for name in params]
    head = (*_HEAD, *(["machine"] if several else []), *titles, *names)
    shown = (_texts(run, params, names, several=several) for run in runs)
    if not runs and not chosen:
        print("no runs yet\n  nbbg run NOTEBOOK --runs 20")
    table.show(head, shown, numbers={*head} - {"arm", "state", "machine"})
    for changed in imported.changes(runs):
        output.say(changed)
    there = [run for run in runs if not run.cleaned_at]
    others = dict.fromkeys(other for run in there for other in values.named_results(run)[1])
    if others:
        output.say(f"also kept: {', '.join(others)}; see: nbbg show RUN --result NAME")
    return 0


def _texts(
    run: model.Run, params: Sequence[str], names: Sequence[str], *, several: bool
) -> list[str]:
    given, measured = run.arm.params, values.measured(run)
    return [
        *(run.arm.name, str(run.number), str(run.seed), str(run.id), run.state.word),
        table.duration(rows.seconds(run)),
        *([rows.machine(run)] if several else []),
        *(table.number(given.get(name)) for name in params),
        *(table.number(measured.get(name)) for name in names),
    ]


def _refuse_what_would_do_nothing(arguments: argparse.Namespace) -> None:
    """Refuse options of which one would be passed over without a word."""
    given = [name for name in ("--csv", "--json", "--to") if getattr(arguments, name[2:])]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one at a time")
    if arguments.best and (arguments.sort or arguments.reverse):
        raise UsageError("--best is an order of its own\nleave out --sort and --reverse")
    if arguments.reverse and not arguments.sort:
        raise UsageError(
            "--reverse turns the order of --sort COLUMN\nsuch as: --sort seconds --reverse"
        )


def _refuse_best_of_all(how: reducing.Reduction, arguments: argparse.Namespace) -> None:
    """Refuse the best value of every metric: of some the smallest is, of others the largest."""
    if how.kind == reducing.BEST and not arguments.best:
        more = "name the metric: nbbg results --best loss --lower-is-better --reduce best"
        raise UsageError(f"--reduce best: of which metric, and is higher better?\n{more}")


def _reduced(runs: list[model.Run], how: reducing.Reduction) -> list[model.Run]:
    """The runs with another value of each metric than the last; who has none is said."""
    without: Counter[str] = Counter()
    found = []
    for run in runs:
        one, why = reducing.whole(run, how)
        found.append(one)
        without.update(why.values())
    for reason, count in without.items():
        output.say(f"{'1 run' if count == 1 else f'{count} runs'}: {reason}")
    return found


def _file_of_json(arguments: argparse.Namespace) -> str:
    """`results --json out.json`: the file is among the names, for `--json b1` has none."""
    files = [name for name in arguments.ids if name.endswith(_FILE)]
    if not arguments.json or not files:
        return ""
    file: str = files[0]
    arguments.ids.remove(file)
    return file


def _json(document: Any, count: int, name: str) -> int:
    if not name:
        output.document(document)
        return 0
    with output.new_file(name, "--json") as file:
        output.document(document, file)
    output.say(f"{count} runs: {name}")
    return 0


def _csv(runs: list[model.Run], name: str) -> int:
    """The table as CSV, to a new file, or for `-` to stdout."""
    import csv

    table_of = rows.columns(runs)
    if name == "-":
        csv.writer(sys.stdout).writerows(table_of)
        return 0
    with output.new_file(name, "--csv") as file:
        csv.writer(file).writerows(table_of)
    output.say(f"{len(runs)} runs: {name}")
    return 0


def _send(runs: list[model.Run], to: Sequence[str]) -> int:
    """To another tool."""
    from nbbg.results import exporting

    kind, uri = to
    if kind != exporting.MLFLOW:
        raise UsageError(f"--to {kind}: nbbg sends to mlflow alone\nsuch as: --to mlflow {uri}")
    done = exporting.to_mlflow(runs, uri, output.say)
    print(f"{done.made} runs new, {done.renewed} brought up to date: {uri}")
    return 0
