"""What must hold at every instant, whatever was killed: checked on the records, the proofs of the
workload and the process table, and against what `nbbg status --json` says at that time.

A look is two surveys of the process table with the command between them: what lived in both lived
while the command ran, and what was dead in the first was dead. So no check depends on luck.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.faults import actors, records
from tests.faults.workload import TOKEN, Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.faults.actors import Actor

Json = dict[str, Any]
Key = tuple[int, int]  # a run's id and an attempt's number
WORKING = (actors.ENGINE, actors.KERNEL)
LIVE = ("running", "submitted")
WAITING = ("queued", "submitted", "running")
NEVER = ("failed", "timed out", "unknown")  # this workload raises nothing, and has no limits


@dataclass
class Deeds:
    """What was done to the project: what an ending may be blamed on."""

    killed: set[Key] = field(default_factory=set)  # attempts that were hit
    everything: bool = False  # all was killed at once, at least once
    stops: bool = False  # somebody asked runs to stop
    fails: bool = False  # the notebook raises


@dataclass
class Survey:
    """Who is alive, and what the records said just before."""

    newest: dict[int, int]
    claimed: set[Key]
    results: dict[Key, str]
    plans: set[int]
    alive: dict[Key, set[Actor]]

    def working(self, key: Key) -> set[Actor]:
        """The processes that execute an attempt's cells."""
        return {actor for actor in self.alive.get(key, ()) if actor.role in WORKING}


@dataclass
class Checker:
    """The invariants of one project; `violations` are sentences."""

    root: Path
    home: Path
    deeds: Deeds = field(default_factory=Deeds)
    violations: list[str] = field(default_factory=list)
    news: Callable[[], object] = dict  # what brings `deeds` up to date
    looks: int = 0
    _seen: dict[Path, str] = field(default_factory=dict)  # facts, by their hash
    _grown: dict[Path, tuple[int, str]] = field(default_factory=dict)
    _acknowledged: dict[int, str] = field(default_factory=dict)
    _ended: dict[Key, str] = field(default_factory=dict)  # what was told of each attempt's end

    def look(self, status: Callable[[], Json]) -> Json:
        """Check everything now; what the command said."""
        before = self.survey()
        said = status()
        self.compare(before, said)
        return said

    def compare(self, before: Survey, said: Json) -> None:
        """Check what was said since `before`, and all records."""
        self.looks += 1
        after = self.survey()
        self._check_told(before, said, after)
        self._check_crowd(before, after)
        self.check_records()

    def survey(self) -> Survey:
        """The records, then the process table."""
        found = Survey({}, set(), {}, set(), {})
        for batch in records.batches(self.root):
            found.plans.update(line["id"] for line in batch.plan())
            for attempt in batch.attempts():
                key = attempt.run, attempt.number
                found.newest[attempt.run] = attempt.number
                if attempt.fact("process.json"):
                    found.claimed.add(key)
                if result := attempt.fact("result.json"):
                    found.results[key] = result["state"]
        for actor in actors.find(self.home):
            if actor.run:
                found.alive.setdefault((actor.run, actor.attempt), set()).add(actor)
        return found

    def blame(self, sentence: str) -> None:
        """Note a violation, once."""
        if sentence not in self.violations:
            self.violations.append(sentence)

    # What is told.

    def _check_told(self, before: Survey, said: Json, after: Survey) -> None:
        told = {run["id"]: run for run in said["runs"]}
        for missing in sorted(before.plans - told.keys()):
            self.blame(f"run {missing} is planned, and status does not name it")
        for number, run in told.items():
            attempt = before.newest.get(number, 0)
            if attempt and attempt == after.newest[number] == run["attempt"]:
                self._check_one((number, attempt), run, before, after)

    def _check_one(self, key: Key, run: Json, before: Survey, after: Survey) -> None:
        state, name = run["state"], f"run {key[0]}, attempt {key[1]}"
        if before.working(key) & after.working(key):
            if state != "running":
                self.blame(f"{name} lives, and status calls it {state} ({run['reason']})")
        elif (
            key in before.claimed
            and state in LIVE
            and not (before.alive.get(key) or after.alive.get(key))
        ):
            self.blame(f"{name} is dead, and status calls it {state} ({run['reason']})")
        if key in before.results and state != before.results[key]:
            self.blame(f"{name} has the result {before.results[key]}, and status says {state}")
        if key in before.claimed and state not in WAITING:
            if (earlier := self._ended.setdefault(key, state)) != state:
                self.blame(f"{name} was told to be {earlier}, and later {state}")
            self._check_ending(key, state, run["reason"])

    def _check_ending(self, key: Key, state: str, reason: str) -> None:
        name, proof = f"run {key[0]}, attempt {key[1]}", Proof(self.root, *key)
        self.news()  # of faults that lay in wait
        hit = self.deeds.everything or key in self.deeds.killed
        if state == "succeeded" and not proof.ended:
            self.blame(f"{name} is called succeeded, and did not come to its end")
        if state == "failed" and self.deeds.fails:
            return
        if state in NEVER or (state != "succeeded" and not hit and not self.deeds.stops):
            self.blame(f"{name} is called {state} ({reason}), for no reason")

    def _check_crowd(self, before: Survey, after: Survey) -> None:
        """No number twice at once, and no more at work than jobs."""
        batch_of = {}
        for batch in records.batches(self.root):
            plan = {line["id"]: (line["arm"], line["number"]) for line in batch.plan()}
            batch_of.update({run: (batch, *what) for run, what in plan.items()})
        living = [key for key in before.alive if before.working(key) & after.working(key)]
        numbers = Counter(batch_of[run][1:] for run, _ in living)
        for what, count in numbers.items():
            if count > 1:
                self.blame(f"number {what} is at work {count} times at once")
        for number, count in Counter(batch_of[run][0].number for run, _ in living).items():
            jobs = records.Batch(self._batch(number), number).record()["jobs"]
            if count > jobs:
                self.blame(f"{count} runs of b{number} are at work at once, of {jobs} jobs")

    def _batch(self, number: int) -> Path:
        return self.root / ".nbbg" / "batches" / str(number)

    # What is on disk.

    def check_records(self) -> None:
        """The facts: whole, unchanged, without gaps; outputs up to the last that came back."""
        try:
            self._check_plans()
            for batch in records.batches(self.root):
                for attempt in batch.attempts():
                    self._check_attempt(attempt)
        except records.DamagedError as error:
            self.blame(f"damaged: {error}")
        self._check_unchanged()
        for number, line in self._acknowledged.items():
            self.acknowledge(number, line)

    def acknowledge(self, number: int, line: str) -> None:
        """A launch has said that this batch is there: so it is, from now on."""
        self._acknowledged[number] = line
        if not (self._batch(number) / "plan.jsonl").exists():
            self.blame(f"acknowledged, and not there: {line}")

    def _check_plans(self) -> None:
        batches = records.batches(self.root)
        if [batch.number for batch in batches] != list(range(1, len(batches) + 1)):
            self.blame(f"batches with gaps: {[batch.number for batch in batches]}")
        plan = [line for batch in batches for line in batch.plan()]
        if [line["id"] for line in plan] != list(range(1, len(plan) + 1)):
            self.blame("ids of runs with gaps")
        numbers: dict[str, list[int]] = {}
        for line in plan:
            numbers.setdefault(line["arm"], []).append(line["number"])
        for arm, found in numbers.items():
            if found != list(range(1, len(found) + 1)):
                self.blame(f"{arm}: run numbers {found}")

    def _check_attempt(self, attempt: records.Attempt) -> None:
        proof = Proof(self.root, attempt.run, attempt.number)
        if proof.starts > 1:
            self.blame(f"{attempt.name} was executed {proof.starts} times")
        if proof.twice:
            self.blame(f"{attempt.name} ran while another attempt at its number was alive")
        shown, logged = proof.shown, TOKEN.findall(attempt.log())
        if logged[: len(shown)] != shown:
            self.blame(f"{attempt.name} printed {shown}, its log has {logged}")
        attempt.journal()
        result = attempt.fact("result.json")
        if result:
            self._check_ending((attempt.run, attempt.number), result["state"], "in its record")

    def _check_unchanged(self) -> None:
        """No fact is changed or taken away; journals and events only grow."""
        for path in self._facts():
            seen = hashlib.sha256(path.read_bytes()).hexdigest()
            if self._seen.setdefault(path, seen) != seen:
                self.blame(f"{path} was changed")
        for path in self._seen:
            if not path.exists():
                self.blame(f"{path} is gone")
        for path in (self.root / ".nbbg").glob("batches/[0-9]*/**/*.jsonl"):
            size, before = self._grown.get(path, (0, hashlib.sha256(b"").hexdigest()))
            data = path.read_bytes()
            if hashlib.sha256(data[:size]).hexdigest() != before:
                self.blame(f"{path} was rewritten")
            self._grown[path] = len(data), hashlib.sha256(data).hexdigest()

    def _facts(self) -> Iterable[Path]:
        store = self.root / ".nbbg"
        for batch in records.batches(self.root):
            yield batch.path / "batch.json"
            yield from batch.path.glob("frozen/*")
            yield from batch.path.glob("changes/*.json")
            for attempt in batch.attempts():
                yield from (
                    path for name in records.FACTS if (path := attempt.path / name).exists()
                )
        yield from (path for path in (store / "format",) if path.exists())

    def forget(self, path: Path) -> None:
        """A fault has changed that fact."""
        self._seen.pop(path, None)

    # At the end.

    def check_composed(self, notebook: Json, run: int, attempt: int, shown: list[str]) -> None:
        """The executed notebook has all that had come back before it was composed."""
        texts = [
            "".join(output.get("text", ""))
            for cell in notebook["cells"]
            for output in cell.get("outputs", ())
        ]
        found = TOKEN.findall("".join(texts))
        if found[: len(shown)] != shown:
            self.blame(f"run {run}, attempt {attempt} printed {shown}, its notebook has {found}")

    def check_through(self, said: Json) -> None:
        """All has succeeded, each number once, and no secret or process is left."""
        for run in said["runs"]:
            if run["state"] != "succeeded":
                self.blame(f"run {run['id']} never came to its end: {run['state']}")
        for path in (self.root / ".nbbg").glob("batches/*/runs/*/*/environment.json"):
            self.blame(f"{path} was left behind")
