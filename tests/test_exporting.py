"""Runs in a real MLflow server: what is there, and that nothing is there twice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.project import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Run

    from tests.project import Project

pytestmark = pytest.mark.timeout(300)  # on a busy machine: the server alone takes 4 s to start
_ALONE = {  # no job queue, no telemetry
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on this machine, ended with its workers."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    argv += ["--backend-store-uri", f"sqlite:///{folder}/runs.db", "--workers", "1"]
    argv += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, **_ALONE}, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _until_it_answers(f"{address}/health", folder / "log.txt")
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _until_it_answers(address: str, log: Path) -> None:
    deadline = time.monotonic() + 3 * PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own http
                return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of that server."""
    for name, value in _ALONE.items():
        monkeypatch.setenv(name, value)
    from mlflow import MlflowClient

    return MlflowClient(server)


def runs_of(client: MlflowClient, arm: str) -> list[Run]:
    """What the server has of an arm, by run number."""
    experiment = client.get_experiment_by_name(arm)
    assert experiment is not None
    found = list(client.search_runs([experiment.experiment_id]))
    return sorted(found, key=lambda run: int(run.data.params["number"]))


@pytest.mark.filterwarnings("ignore")  # of MLflow's own libraries
def test_runs_in_mlflow(project: Project, server: str, client: MlflowClient) -> None:
    """Parameters, metrics with steps, state and files are there; a second time, nothing is new."""
    project.write(
        "train.ipynb",
        "import nbbg, os\nprint('hello')\n"
        "for step in range(3):\n"
        "    nbbg.log(**{'loss(mse)': lr * step, 'note': 'x'}, step=2 * step)",
        "if os.environ['RUN_NUMBER'] == '2' and os.environ['NBBG_ATTEMPT'] == '1': 1 / 0",
        parameters="lr = 0.5",
    )
    project.nbbg("run", "train.ipynb", "--runs", "2", "-p", "lr=0.25", "--wait", code=1)
    said = project.nbbg("results", "--to", "mlflow", server)
    assert said.stdout == f"2 runs new, 0 brought up to date: {server}\n"
    assert "'loss(mse)' is named 'loss_mse_' in MLflow" in said.stderr
    arm = project.run(1)["arm"]
    first, second = runs_of(client, arm)
    assert (first.info.status, second.info.status) == ("FINISHED", "FAILED")
    assert first.data.params == {"number": "1", "seed": "1", "lr": "0.25"}
    assert (first.data.tags["nbbg.run"], first.data.tags["note"]) == ("1", "x")
    history = client.get_metric_history(first.info.run_id, "loss_mse_")
    assert [(one.step, one.value) for one in history] == [(0, 0.0), (2, 0.25), (4, 0.5)]
    files = [file.path for file in client.list_artifacts(first.info.run_id)]
    assert len(files) == 2
    assert "log.txt" in files
    project.nbbg("retry", "2")
    project.nbbg("wait", "2")
    said = project.nbbg("results", "--to", "mlflow", server, "--where", "number > 0")
    assert said.stdout == f"0 runs new, 2 brought up to date: {server}\n"
    again, retried = runs_of(client, arm)
    assert again.info.run_id == first.info.run_id
    assert len(client.get_metric_history(first.info.run_id, "loss_mse_")) == 3
    assert (retried.info.status, retried.data.tags["nbbg.attempt"]) == ("FINISHED", "2")
    assert len(client.get_metric_history(retried.info.run_id, "loss_mse_")) == 3


def test_a_server_that_is_not_there(project: Project) -> None:
    """It is said in two lines; another tool than MLflow is refused."""
    project.write("train.ipynb", "1 + 1")
    project.nbbg("run", "train.ipynb", "--wait")
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = project.nbbg("results", "--to", "mlflow", address, code=2).stderr.splitlines()
    assert said[-2].startswith(f"nbbg: MLflow at {address}: ")
    assert "sends what is missing" in said[-1]
    refused = project.nbbg("results", "--to", "wandb", "x", code=2).stderr
    assert "nbbg sends to mlflow alone" in refused
