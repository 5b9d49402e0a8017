"""What a host may answer that is broken, or somebody else's by now: a program in the place of ssh
answers anything, and the real rsync goes through it.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

import nbbg
from nbbg import model, paths
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.executors.ssh import Ssh, fetching, remote
from nbbg.ops import hosts as ops
from nbbg.ops import project as projects
from nbbg.store import hosts, submissions
from tests import records
from tests.project import alive, until

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store

_SSH = """\
#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do
    case $1 in --) shift; break;; -o|-l) shift 2;; *) shift;; esac
done
shift
case "$*" in
    *nbbg.far*) . {top}/answer ;;
    *) cd {top}/home && exec sh -c "$*" ;;
esac
"""
_RESULT = json.dumps({"state": "succeeded", "exit_code": 0, "ended_at": 2.0})
_GOOD: dict[str, Any] = {
    "attempts": {},
    "words": {},
    "waiting": [],
    "stopped": "",
    "paused": False,
    "supervised": True,
}


class Foe:
    """A host `gpu1` that was dealt runs 1 and 2 of a batch, and answers as it likes."""

    def __init__(self, top: Path, store: Store) -> None:
        self.top, self.store = top, store
        self.batch = store.batch(1)
        self.host = hosts.Host("gpu1", "gpu1", "proj", nbbg="/any/python")

    def says(self, **answer: Any) -> None:
        """Answer so from now on."""
        record = {"version": nbbg.__version__, "format": paths.FORMAT_VERSION, **answer}
        self.does(f"cat <<'END'\n{paths.ANSWER}{json.dumps(record)}\nEND")

    def does(self, script: str) -> None:
        """Carry this out instead."""
        (self.top / "answer").write_text(f"{script}\n")

    def attempt(self) -> Path:
        """The folder of run 1 there."""
        token = hosts.token(self.store.folder)
        made = self.top / "home/proj/.nbbg/from" / token / "batches/1/runs/1/1"
        made.mkdir(parents=True)
        return made

    def told(self) -> model.Told:
        """What is told of run 1."""
        ticket = f"{self.batch}:gpu1:1"
        return Ssh().poll([ticket])[ticket]


@pytest.fixture
def foe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Foe:
    """Such a host, in the place of ssh."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (tmp_path / "home").mkdir()
    (bin_ / "ssh").write_text(_SSH.format(top=tmp_path))
    (bin_ / "ssh").chmod(0o700)
    monkeypatch.setenv("PATH", str(bin_), prepend=os.pathsep)
    store = records.make_store(tmp_path / "project")
    records.publish(store, 2, executor="ssh")
    made = Foe(tmp_path, store)
    hosts.add(store.folder, made.host)
    submissions.intend(made.batch, "gpu1", [1, 2], to="gpu1")
    return made


def an_attempt(**facts: str) -> dict[str, Any]:
    """An attempt that has ended."""
    return {"word": "gone", "reason": "", "facts": facts, "result": _RESULT}


@pytest.mark.parametrize(
    "batch",
    [
        {**_GOOD, "attempts": {"../../../../../owned/1": an_attempt()}},
        {**_GOOD, "attempts": {"1/../../owned": an_attempt()}},
        {**_GOOD, "attempts": {"1/1": [1]}},
        {**_GOOD, "attempts": {"1/1": {**an_attempt(), "result": 7}}},
        {**_GOOD, "words": {"1": ["nonsense", ""]}},
        {**_GOOD, "words": {"one": ["gone", ""]}},
        {**_GOOD, "waiting": [["a", 2]]},
        {**_GOOD, "waiting": 7},
        {"words": {}},
        [],
        None,
    ],
)
def test_an_answer_that_makes_no_sense_is_unknown(foe: Foe, batch: object) -> None:
    """Whatever a host says, its runs are unknown, with a sentence; nothing is written."""
    foe.says(batches={"1": batch})
    before = sorted(foe.top.rglob("*"))
    told = foe.told()
    assert told.word is model.Word.UNKNOWN
    assert told.reason.startswith("gpu1: its answer can't be read: ")
    new = set(foe.top.rglob("*")) - set(before)
    assert {path.name for path in new} <= {".gpu1.lock", paths.CALLED}


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"format": "x"}', "[" * 100_000])
def test_an_answer_that_is_torn_is_unknown(foe: Foe, line: str) -> None:
    """So is what is no JSON, or no answer at all."""
    (foe.top / "line").write_text(f"{paths.ANSWER}{line}\n")
    foe.does(f"cat {foe.top}/line")
    told = foe.told()
    assert told.word is model.Word.UNKNOWN
    assert told.reason.startswith("gpu1: its answer can't be read: ")


def test_facts_have_names_of_ours(foe: Foe) -> None:
    """A file that a host names is written nowhere, nor what it says of a run of another host."""
    submissions.intend(foe.batch, "gpu2", [2], to="gpu2")
    foe.attempt()
    owned = foe.top / "owned"
    facts = {str(owned): "x", "../../../../owned": "x", paths.STOP: '{"by":"me","at":1.0}'}
    attempts = {"1/1": an_attempt(**facts), "2/1": an_attempt()}
    foe.says(batches={"1": {**_GOOD, "attempts": attempts}})
    foe.told()
    attempt = foe.batch / "runs/1/1"
    assert sorted(path.name for path in attempt.iterdir()) == [paths.RESULT, paths.STOP]
    assert not owned.exists()
    assert not (foe.batch / "runs/2").exists()


def test_a_host_that_never_has_said_all(foe: Foe) -> None:
    """A host that always has more to say, and says nothing new, is not asked for ever."""
    foe.says(batches={"1": {**_GOOD, "words": {"1": ["running", ""]}}}, more=True)
    assert foe.told().word is model.Word.RUNNING


def test_ranges_without_an_end(foe: Foe) -> None:
    """What a host says to have in its line takes no memory."""
    foe.says(batches={"1": {**_GOOD, "waiting": [[1, 10**17]]}})
    assert foe.told().word is model.Word.QUEUED


def test_output_without_an_end(foe: Foe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that never stops talking, to either stream, is cut short."""
    monkeypatch.setattr(remote, "MOST", 1 << 20)
    for script in ("yes", "yes >&2"):
        foe.does(script)
        told = foe.told()
        assert told == model.Told(model.Word.UNKNOWN, "gpu1: its answer does not end")


def test_silence(foe: Foe) -> None:
    """A host that says nothing is left after a while, with all that was started for the link."""
    pid = foe.top / "pid"
    foe.does(f"sleep 300 & echo $! >{pid}; wait")
    with pytest.raises(remote.UnreachableError, match="no answer for 1 s"):
        remote.ask(foe.host, "/any/python", "look", {}, patience=1)
    until(lambda: not alive(int(pid.read_text())))
    foe.does("exec >&-; exec sleep 300")
    with pytest.raises(remote.UnreachableError, match="no answer for 1 s"):
        remote.ask(foe.host, "/any/python", "look", {}, patience=1)


def test_a_large_question_and_a_large_answer(foe: Foe) -> None:
    """Neither side waits for the other; what nobody reads is no fault."""
    foe.does(f'tee {foe.top}/asked; echo; echo \'{paths.ANSWER}{{"version": "1", "format": 1}}\'')
    remote.ask(foe.host, "/any/python", "look", {"x": "y" * 3_000_000})
    assert (foe.top / "asked").stat().st_size > 3_000_000
    foe.says()
    remote.ask(foe.host, "/any/python", "look", {"x": "y" * 3_000_000})


def test_a_host_that_has_not_this_nbbg(foe: Foe) -> None:
    """Where the Python that was named for it has no nbbg, that is said, and what to type."""
    foe.does("echo 'sh: 1: /any/python: not found' >&2; exit 127")
    with pytest.raises(
        EnvironmentFault, match=r"(?s)is no Python with nbbg.*nbbg host remove gpu1"
    ):
        Ssh().fetch([foe.batch])
    assert foe.told() == model.Told(model.Word.UNKNOWN, "gpu1: /any/python is no Python with nbbg")


def test_links_that_lead_out_stay_there(foe: Foe) -> None:
    """Of what is brought home no link leads out of it."""
    (foe.top / "secret").write_text("mine")
    attempt = foe.attempt()
    (attempt / "log").symlink_to(foe.top / "secret")
    (attempt / "up").symlink_to("../../../../../../../..")
    (attempt / "data").write_text("1")
    (attempt / "same").symlink_to("data")
    foe.says(batches={"1": {**_GOOD, "attempts": {"1/1": an_attempt()}}})
    foe.told()
    here = foe.batch / "runs/1/1"
    assert (here / "data").read_text() == (here / "same").read_text() == "1"
    assert not (here / "log").is_symlink()
    assert not (here / "up").is_symlink()


def test_one_command_at_a_time_fetches(foe: Foe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second waits for the first, for a late copy of a log would overwrite a later one."""
    monkeypatch.setattr(fetching, "PATIENCE", 0.2)
    foe.says(batches={"1": {**_GOOD, "words": {"1": ["running", ""]}}})
    with fetching.alone(foe.store.folder, "gpu1"):
        assert foe.told().reason == "gpu1: another command is fetching from it"
    assert foe.told().word is model.Word.RUNNING


def test_rsync_keeps_the_lock(foe: Foe, monkeypatch: pytest.MonkeyPatch) -> None:
    """An rsync that outlives its command still holds the others off."""
    monkeypatch.setattr(fetching, "PATIENCE", 0.2)
    (foe.top / "bin/rsync").write_text(f"#!/bin/sh\necho $$ >{foe.top}/pid\nexec sleep 60\n")
    (foe.top / "bin/rsync").chmod(0o700)
    foe.says(batches={"1": {**_GOOD, "attempts": {"1/1": an_attempt()}}})
    child = os.fork()
    if not child:
        foe.told()
        os._exit(0)
    until((foe.top / "pid").exists)
    until(lambda: bool((foe.top / "pid").read_text()))
    os.kill(child, 9)
    os.waitpid(child, 0)
    rsync = int((foe.top / "pid").read_text())
    assert foe.told().reason == "gpu1: another command is fetching from it"
    os.kill(rsync, 9)
    until(lambda: not alive(rsync))
    (foe.top / "bin/rsync").unlink()
    deadline = time.monotonic() + 10
    while foe.told().reason.endswith("is fetching from it"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "place", ["-x:y", "h:-x", ":x", "h::module", "ssh://h/x", "[::1]:x", "./h:x", "h:a\nb"]
)
def test_what_is_no_place(foe: Foe, place: str) -> None:
    """What ssh or rsync would take for an option, a daemon or a file here names no machine."""
    where = projects.to_read(foe.store.root)
    with pytest.raises(UsageError, match="names no machine"):
        ops.add(where, "gpu9", place, {})


def test_what_cannot_be_read_is_dealt_to_nobody(foe: Foe) -> None:
    """Where a deal can't be read its host may have the runs: nothing is dealt anew."""
    (foe.batch / paths.JOBS / "1.json").write_text("{")
    foe.does("echo asked >&2; exit 3")
    with pytest.raises(nbbg.errors.StoreError, match=r"1\.json can't be read: who has which runs"):
        Ssh().hand_over(foe.batch, [1, 2], {})
    assert len(list((foe.batch / paths.JOBS).glob("*.json"))) == 1


def test_a_host_of_another_format_does_nothing(foe: Foe) -> None:
    """What writes records of another format is told apart before anything else that it says."""
    foe.says(format=paths.FORMAT_VERSION + 1, version="9.9", fault="whatever")
    with pytest.raises(EnvironmentFault, match=r"its nbbg 9\.9 writes records of format 2"):
        remote.ask(foe.host, "/any/python", "look", {})


def test_a_result_comes_after_what_was_written(foe: Foe) -> None:
    """Where rsync is cut short no result is in place: an ending never precedes its outputs."""
    there = foe.attempt()
    (there / "log").write_text("all of it\n")
    foe.says(batches={"1": {**_GOOD, "attempts": {"1/1": an_attempt()}}})
    (foe.top / "bin/rsync").write_text("#!/bin/sh\necho 'connection closed' >&2\nexit 12\n")
    (foe.top / "bin/rsync").chmod(0o700)
    assert foe.told() == model.Told(model.Word.UNKNOWN, "gpu1: connection closed")
    assert not list(foe.batch.glob(f"runs/**/{paths.RESULT}"))
    (foe.top / "bin/rsync").unlink()
    foe.told()
    assert (foe.batch / "runs/1/1" / paths.RESULT).read_text() == _RESULT
    assert (foe.batch / "runs/1/1/log").read_text() == "all of it\n"
