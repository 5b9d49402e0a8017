"""Runs sent to an MLflow server: parameters, metrics with their steps, executed notebook and log.

The experiment is named after the arm, as in `MLFLOW_EXPERIMENT_NAME` of each run. A tag names the
run of nbbg, so that a second export brings the same MLflow run up to date; after a retry it is made
anew, since MLflow takes no metric back. This module is the only one that knows MLflow.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from typing import TYPE_CHECKING, Any

from nbbg import model, paths
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault
from nbbg.results import values
from nbbg.store import curves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

MLFLOW = "mlflow"
INSTALL = "pip install 'nbbg[mlflow]'"
ID, ATTEMPT = "nbbg.id", "nbbg.attempt"
LARGEST = 100_000_000  # bytes of a file that is sent
_AT_ONCE = 1000  # metrics in a request; MLflow's limit
_PARAMS_AT_ONCE = 100
_LONGEST = 500  # characters of a parameter or a tag, which every MLflow takes
_PAGE = 1000
_FINISHED, _FAILED, _KILLED, _RUNNING = "FINISHED", "FAILED", "KILLED", "RUNNING"
_UNFIT = re.compile(r"[^\w\-. :/]")  # in names of metrics and parameters
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # to the server that was named, and nowhere else
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a server that is not there is said at once
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass
class Done:
    """What an export did."""

    made: int = 0
    renewed: int = 0


def to_mlflow(runs: Iterable[model.Run], uri: str, say: Callable[[str], object]) -> Done:
    """Send runs to MLflow; those that have not begun have nothing to send.

    Args:
        runs: of any arms.
        uri: of the tracking server, or whatever else MLflow takes.
        say: is given a sentence about each thing that can't be sent.

    Raises:
        EnvironmentFault: MLflow is not installed, or the server refuses or can't be reached.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        message = f"sending to MLflow needs its client: {error}\n{INSTALL}"
        raise EnvironmentFault(message) from error
    of_arm: dict[str, list[model.Run]] = {}
    for run in runs:
        if run.attempt and run.started_at:
            of_arm.setdefault(run.arm.name, []).append(run)
    if cleaned := sum(bool(run.cleaned_at) for mine in of_arm.values() for run in mine):
        say(f"runs whose files were cleaned away have their last values alone: {cleaned}")
    try:
        sender = _Sender(MlflowClient(tracking_uri=uri), say)
        for arm, mine in of_arm.items():
            sender.send(arm, mine)
    except (MlflowException, OSError) as error:
        said = str(error).strip().splitlines()[0][:_LONGEST]
        message = f"MLflow at {uri}: {said}\ntyped again, it sends what is missing"
        raise EnvironmentFault(message) from error
    return sender.done


class _Sender:
    """Sends the runs of one arm after another."""

    def __init__(self, client: MlflowClient, say: Callable[[str], object]) -> None:
        self._client = client
        self._say = say
        self._renamed: set[str] = set()
        self.done = Done()

    def send(self, arm: str, runs: Sequence[model.Run]) -> None:
        experiment = self._client.get_experiment_by_name(arm)
        number = experiment.experiment_id if experiment else self._client.create_experiment(arm)
        there = {run.data.tags[ID]: run for run in self._existing(number)}
        for run in runs:
            self._send(number, run, there.get(_id(run)))

    def _existing(self, experiment: str) -> Iterator[Run]:
        """The runs of an experiment that nbbg has sent."""
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], f"tags.`{ID}` LIKE '%'", max_results=_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _send(self, experiment: str, run: model.Run, there: Run | None) -> None:
        if there and there.data.tags.get(ATTEMPT) != str(run.attempt):
            self._client.delete_run(there.info.run_id)
            there = None
            self.done.renewed += 1
        elif there:
            self.done.renewed += 1
        else:
            self.done.made += 1
        name = there.info.run_id if there else self._make(experiment, run)
        self._send_metrics(name, run, anew=there is None)
        self._send_tags(name, run)
        if run.ended:
            self._send_files(name, run)
            ended = run.ended_at or time.time()
            self._client.set_terminated(name, _status(run), round(1000 * ended))

    def _make(self, experiment: str, run: model.Run) -> str:
        """A new run with its parameters; its name in MLflow."""
        made = self._client.create_run(
            experiment,
            start_time=round(1000 * (run.started_at or 0)),
            tags={ID: _id(run), ATTEMPT: str(run.attempt)},
            run_name=f"{run.arm.name} {run.number}",
        )
        name: str = made.info.run_id
        from mlflow.entities import Param

        given = {"number": run.number, "seed": run.seed, **run.arm.params}
        params = [Param(self._name(key), str(value)[:_LONGEST]) for key, value in given.items()]
        for some in _batches(params, _PARAMS_AT_ONCE):
            self._client.log_batch(name, params=some)
        return name

    def _send_metrics(self, name: str, run: model.Run, *, anew: bool) -> None:
        for metric, logged in measured(run).items():
            sent = self._name(metric)
            found = list(_metrics(sent, logged, run))
            if not anew:
                known = self._client.get_metric_history(name, sent)
                found = found[len(known) :]  # of the same attempt: what was logged is not changed
            for some in _batches(found, _AT_ONCE):
                self._client.log_batch(name, metrics=some)

    def _send_tags(self, name: str, run: model.Run) -> None:
        from mlflow.entities import RunTag

        words = {key: value for key, value in values.measured(run).items() if _is_word(value)}
        tags = {
            "nbbg.run": run.id,
            "nbbg.batch": f"b{run.batch}",
            "nbbg.arm": run.arm.name,
            "nbbg.state": run.state.word,
            "nbbg.reason": run.state.reason,
            "mlflow.source.name": run.arm.notebook,
            "mlflow.source.type": "NOTEBOOK",
            **{self._name(key): value for key, value in words.items()},
        }
        sent = [RunTag(key, str(value)[:_LONGEST]) for key, value in tags.items()]
        for some in _batches(sent, _PARAMS_AT_ONCE):
            self._client.log_batch(name, tags=some)

    def _send_files(self, name: str, run: model.Run) -> None:
        there = {each.path: each.file_size for each in self._client.list_artifacts(name)}
        notebook = "" if run.arm.log_only else run.arm.output_of(run.number, run.id)
        for path in filter(None, (notebook, os.path.join(run.folder, paths.LOG))):
            size = os.path.getsize(path) if os.path.isfile(path) else -1
            if size > LARGEST:
                self._say(f"run {run.id}: {path} is too large to be sent")
            elif size >= 0 and there.get(os.path.basename(path)) != size:
                self._client.log_artifact(name, path)

    def _name(self, name: str) -> str:
        """The name as MLflow takes it."""
        fit = _UNFIT.sub("_", name)[:_LONGEST]
        if fit != name and name not in self._renamed:
            self._renamed.add(name)
            self._say(f"{name!r} is named {fit!r} in MLflow, which takes no such characters")
        return fit


def _id(run: model.Run) -> str:
    """What names a run wherever its project is moved or copied to: its launch and its id."""
    return f"{run.queued_at:.6f}/{run.id}"


def _status(run: model.Run) -> str:
    match run.state:
        case model.Succeeded():
            return _FINISHED
        case model.Stopped():
            return _KILLED
        case _:
            return _FAILED if run.ended else _RUNNING


def measured(run: model.Run) -> dict[str, curves.Values]:
    """Every curve of the run; of one value what has none: named results, and what was cleaned."""
    found = curves.read(run.folder)
    for name, value in values.measured(run).items():
        if name not in found and curves.is_number(value):
            found[name] = curves.Values([None], [curves.number(value)], [run.ended_at])
    return found


def _metrics(name: str, logged: curves.Values, run: model.Run) -> Iterator[Metric]:
    from mlflow.entities import Metric

    steps = logged.numbered()
    whole = all(step.is_integer() for step in steps)
    for position, (step, value, at) in enumerate(
        zip(steps, logged.values, logged.times, strict=True)
    ):
        when = at if curves.is_number(at) else run.started_at
        yield Metric(name, value, round(1000 * (when or 0)), int(step) if whole else position)


def _is_word(value: Any) -> bool:
    return isinstance(value, str | bool)


def _batches(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    coming = iter(items)
    while some := list(itertools.islice(coming, size)):
        yield some
