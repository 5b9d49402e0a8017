"""`python -m nbbg.results.looking`: what launch and supervisor ask of the statistics.

`design` says after how many runs it is looked; `look BATCH_DIR K` takes a look and leaves
`look-K.json`. A program of its own, since NumPy and SciPy take a second and 100 MB, which no
supervisor should hold for days. Of runs that an earlier look has seen, the values that it saw
count: what is retried afterwards changes nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import model
from nbbg.classes import asdict
from nbbg.errors import EnvironmentFault, NbbgError, UsageError
from nbbg.index import Index
from nbbg.results import gathering
from nbbg.results.samples import Sample
from nbbg.store import batches, looks, place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.results.sequential import Design

DONE, REFUSED, NOT_YET, LACKING = 0, 2, 3, 4  # exit codes
MOST_RUNS = 1000  # of each arm


class NotYet(Exception):  # noqa: N818 - says what it is
    """A run before the look has not ended."""


def design(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The looks for `arms`, `max_runs`, `lower_is_better` and `baseline`, and the error allowed.

    Raises:
        UsageError: so many runs of so many arms can't be decided, or are too many.
        EnvironmentFault: SciPy is not installed.
    """
    from nbbg.results import comparing, sequential

    arms, max_runs, baseline = asked["arms"], asked["max_runs"], asked["baseline"]
    if max_runs > MOST_RUNS:
        raise UsageError(f"--max-runs {max_runs}: at most {MOST_RUNS} runs of each arm")
    if len(arms) > comparing.MOST_ARMS and not baseline:
        message = f"{len(arms)} arms are too many to compare each with each"
        raise UsageError(f"{message} (at most {comparing.MOST_ARMS})\n--baseline {arms[0]}")
    made = sequential.design(
        arms, max_runs, lower_is_better=asked["lower_is_better"], baseline=baseline
    )
    return {"looks": made.looks, "alpha": made.alpha}


def look(folder: Path, number: int) -> None:
    """Take that look, from 1; harmless where it was taken.

    Raises:
        NotYet: a run that counts has not ended.
        UsageError: there is nothing to look at.
        StoreError, EnvironmentFault: the batch can't be read, or SciPy is not installed.
    """
    from nbbg.results import sequential

    batch = batches.read_folder(folder)
    until = batch.until
    assert until is not None  # noqa: S101 - the supervisor has looked
    earlier = looks.taken(folder, until)
    if len(earlier) >= number:
        return
    values, left_out = _seen(folder, batch, earlier)
    plan = _design(until)
    outcome = sequential.look([Sample(arm, values[arm]) for arm in until.arms], plan, number)
    record = {
        **asdict(outcome),
        "runs": until.looks[number - 1],
        "at": time.time(),
        "values": {
            arm: {str(seed): value for seed, value in values[arm].items()} for arm in values
        },
        "left_out": left_out,
    }
    looks.write(folder, number, record)


def _design(until: model.Until) -> Design:
    from nbbg.results import sequential

    return sequential.Design(
        until.arms,
        until.looks,
        until.first_seed,
        until.lower_is_better,
        until.baseline,
        until.alpha,
    )


def _seen(
    folder: Path, batch: model.Batch, earlier: Sequence[looks.Look]
) -> tuple[dict[str, dict[int, float]], list[list[Any]]]:
    """By arm and seed the values that count now; and run, arm and reason of what does not."""
    assert batch.until is not None  # noqa: S101 - as above
    last = batch.last_before(len(earlier) + 1)
    known = batch.last_before(len(earlier)) if earlier else 0
    with Index(place.of_batch(folder)) as index:
        runs = list(index.each("batch = ? AND id <= ?", (batch.id, last)))
    _check_ended(runs)
    samples = {each.arm: each for each in gathering.gather(runs, batch.until.metric)}
    values: dict[str, dict[int, float]] = {}
    left_out: list[list[Any]] = []
    for arm in batch.until.arms:
        sample = samples.get(arm, Sample(arm, {}))
        before = dict(earlier[-1].values.get(arm, {})) if earlier else {}
        fresh = {s: value for s, value in sample.values.items() if sample.runs[s] > known}
        values[arm] = {**before, **fresh}
        left_out += [[each.run, arm, each.why] for each in sample.left_out if each.run > known]
        _check_values(arm, values[arm], sample, batch.until.metric)
    return values, left_out


def _check_ended(runs: Sequence[model.Run]) -> None:
    for run in runs:
        if isinstance(run.state, model.Unknown):
            raise UsageError(f"run {run.id} is unknown: {run.state.reason}")
        if not run.ended:
            raise NotYet(f"run {run.id} is {run.state.word}")


def _check_values(arm: str, values: Mapping[int, float], sample: Sample, metric: str) -> None:
    from nbbg.results import comparing

    if not values:
        why = sample.left_out[0].why if sample.left_out else "there are none"
        raise UsageError(f"no run of {arm} counts ({why})")
    for seed, value in values.items():
        if not abs(value) < comparing.LARGEST:
            message = f"{metric} of {arm}, seed {seed}, is {value:g}"
            raise UsageError(f"{message}: no statistics of that")


def main(argv: Sequence[str]) -> int:
    """The program."""
    try:
        if argv[0] == "design":
            print(json.dumps(design(json.load(sys.stdin))))  # noqa: T201 - it is the answer
        else:
            look(Path(argv[1]), int(argv[2]))
    except NotYet as error:
        return _say(error, NOT_YET)
    except EnvironmentFault as error:
        return _say(error, LACKING)
    except NbbgError as error:
        return _say(error, REFUSED)
    return DONE


def _say(error: Exception, code: int) -> int:
    print(error, file=sys.stderr)  # noqa: T201 - whoever asked passes it on
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
