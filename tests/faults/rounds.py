"""One round: a throw-away project whose batches are at work, faults by a schedule, then the end.

While faults come, the invariants are looked at again and again. Then all goes on undisturbed, with
the commands that a person would type, until everything has succeeded; and is looked at once more.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import faults
from tests.faults import actors, records, workload
from tests.faults.invariants import Checker, Deeds, Survey
from tests.faults.schedule import VICTIMS, Fault, Schedule
from tests.project import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.actors import Actor

Json = dict[str, Any]
NBBG = (PYTHON, "-P", "-m", "nbbg")
ENGINES, EXECUTORS = ("ipython", "kernel"), ("local", "tmux")
_ACKNOWLEDGED = re.compile(r"^batch b(\d+): .*", re.MULTILINE)
_RUN_OF = re.compile(r"/runs/(\d+)/(\d+)(?: |$)")
PASSED_ON = ("PATH", "LANG", "PYTHONPATH", "COVERAGE_PROCESS_START")
LOOK, MEND = 1.5, 0.8  # seconds between two looks, and between two commands that set going
CONVERGES = 240.0  # seconds in which all must have come to its end, once there are no more faults
AT_MOST = 12  # commands at once
FEW, MORE = 5, 4  # runs


@dataclass
class Command:
    """A command of nbbg that was started."""

    process: subprocess.Popen[bytes]
    said: Path
    words: str = ""

    def text(self) -> str:
        """What it has printed."""
        return self.said.read_text(errors="replace")


@dataclass
class Waiting:
    """A process that was halted, and goes on later."""

    pid: int
    start: int
    at: float  # on the monotonic clock


class Round:
    """A project, what is done to it, and what was seen.

    Args:
        seed: of its schedule.
        engine: of its runs.
        executor: of its runs.
        jobs: at a time.
        runs: how many the first launch asks for.
    """

    def __init__(self, seed: str, engine: str, executor: str, jobs: int = 3, runs: int = 6) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="nbbg-t"))
        self.root = self.home / "project"
        self.faults = self.home / "faults"
        for folder in (self.root / ".git", self.root / workload.PROOFS, self.faults / faults.FIRED):
            folder.mkdir(parents=True)
        (self.root / workload.NAME).write_text(json.dumps(workload.content()))
        self.schedule = Schedule(seed)
        self.options = ("--engine", engine, "--executor", executor, "--jobs", str(jobs))
        self.wanted = runs
        self.done: Counter[str] = Counter()
        self.deeds = Deeds()
        self.checker = Checker(self.root, self.home, self.deeds, news=self.collect)
        self.commands: list[Command] = []
        self.waiting: list[Waiting] = []
        self.collected: set[str] = set()
        self.errors: set[str] = set()
        self.mended_at = self.looked_at = 0.0
        self.look: tuple[Survey, Command] | None = None

    # Commands.

    def environment(self) -> dict[str, str]:
        """What a command sees."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        given = {"HOME": self.home, "TMUX_TMPDIR": self.home, faults.NAME: self.faults}
        names = {name: str(value) for name, value in given.items()}
        return {**passed, **names, "NBBG_PYTHON": PYTHON, "NBBG_GRACE": "0.3", "SHELL": "/bin/sh"}

    def start(self, *words: str, program: tuple[str, ...] = NBBG, watched: bool = True) -> Command:
        """Start a command, and leave it to itself; a fault may hit it where it is `watched`."""
        fd, name = tempfile.mkstemp(dir=self.home, prefix="said-")
        process = subprocess.Popen(
            [*program, *words],
            cwd=self.root,
            env={**self.environment(), **({} if watched else {faults.NAME: ""})},
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd if watched else subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(fd)
        made = Command(process, Path(name), " ".join((*program, *words)))
        if watched:
            self.commands.append(made)
        return made

    def launch(self) -> Command:
        """The launch that the round is about, as far as it has grown."""
        return self.start("run", workload.NAME, "--runs", str(self.wanted), *self.options)

    def call(self, *words: str, timeout: float = 60) -> str:
        """Run a command that nobody disturbs, but for what is halted; its stdout."""
        return subprocess.run(
            [*NBBG, *words],
            cwd=self.root,
            env={**self.environment(), faults.NAME: ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        ).stdout

    def status(self) -> Json:
        """`nbbg status --json`."""
        return self._answer(self.call("status", "--json"))

    def _answer(self, text: str) -> Json:
        try:
            found: Json = json.loads(text)
        except ValueError:
            self.checker.blame(f"status gave no answer, but {text[:500]!r}")
            return {"batches": [], "runs": []}
        return found

    def reap(self) -> None:
        """Collect the commands that have ended, and what they acknowledged."""
        for command in list(self.commands):
            if command.process.poll() is not None:
                text = command.text()
                for match in _ACKNOWLEDGED.finditer(text):
                    self.checker.acknowledge(int(match[1]), match[0])
                if "Traceback" in text:
                    self.checker.blame(f"a traceback: {command.words}: {text[-1500:]}")
                self.errors.update(line for line in text.splitlines() if line.startswith("nbbg: "))
                command.said.unlink()
                self.commands.remove(command)

    # Faults.

    def torture(self, seconds: float, mean: float, tell: Callable[[], object] = dict) -> None:
        """Faults for so many seconds, about every `mean` seconds one, each told."""
        self.launch().process.wait(30)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.inject(self.schedule.next())
            time.sleep(self.schedule.pause(mean))
            self.go_on()
            self.reap()
            self.collect()
            self.mend()
            self.look_beside()
            tell()

    def look_beside(self) -> None:
        """Look at the invariants while the faults go on."""
        if self.look is None:
            if time.monotonic() - self.looked_at > LOOK:
                before = self.checker.survey()
                self.look = before, self.start("status", "--json", watched=False)
            return
        before, command = self.look
        if command.process.poll() is not None:
            self.look, self.looked_at = None, time.monotonic()
            said = self._answer(command.text())
            self.checker.compare(before, said)
            self._keep_busy(said)

    def _look_away(self) -> None:
        """Forget a look that what comes next would spoil."""
        if self.look:
            self.look[1].process.wait(60)
            self.look = None

    def _keep_busy(self, said: Json) -> None:
        """Ask for more runs where few are left."""
        if sum(run["state"] != "succeeded" for run in said["runs"]) < FEW:
            self.wanted += MORE
            self.launch()

    def inject(self, fault: Fault) -> None:
        """Do it, where there is somebody to do it to."""
        match fault.kind:
            case "signal":
                self._signal(fault)
            case "step":
                self._lay(fault)
            case "launchers":
                self._launchers(fault.count)
            case "supervisors":
                self._supervisors(fault.count)
            case "stop":
                self._stop()
            case _:
                self._reboot()

    def _signal(self, fault: Fault) -> None:
        there = [actor for actor in actors.find(self.home) if actor.role in VICTIMS]
        if not there:
            return
        role = self.schedule.role({actor.role for actor in there}, fault.victim)
        victim = self.schedule.chance.choice([each for each in there if each.role == role])
        if fault.signal == signal.SIGSTOP and victim.role == actors.TMUX:
            return  # commands would wait for it
        if victim.role == actors.TEMPLATE:
            victim = self._halted(victim)
        self._hit(victim.run, victim.attempt)
        if victim.send(fault.signal):
            self.done[f"{fault.signal.name} {victim.role}"] += 1
            if fault.signal in (signal.SIGHUP, signal.SIGTERM):
                victim.send(signal.SIGCONT)
            if fault.signal == signal.SIGSTOP:
                at = time.monotonic() + fault.seconds
                self.waiting.append(Waiting(victim.pid, victim.start, at))

    def _halted(self, victim: Actor) -> Actor:
        """Who that is now: what a template has forked ahead may be a run's by now."""
        victim.send(signal.SIGSTOP)
        until = time.monotonic() + 1
        while not victim.halted and actors.alive(*victim.who) and time.monotonic() < until:
            time.sleep(0.001)
        return _now(self.home, victim.pid) or victim

    def _hit(self, run: int, attempt: int) -> None:
        if run:
            self.deeds.killed.add((run, attempt))

    def _lay(self, fault: Fault) -> None:
        laid = self.faults / f".{fault.step}"
        laid.write_text(str(int(fault.signal)))
        laid.rename(self.faults / fault.step)

    def collect(self) -> None:
        """See which of the faults that lay in wait have struck, and whom."""
        for struck in (self.faults / faults.FIRED).iterdir():
            if struck.name in self.collected:
                continue
            number, _, who = struck.read_text().partition("\n")
            if not who:
                continue  # this very moment
            self.collected.add(struck.name)
            pid = int(struck.name.partition(" ")[0])
            if match := _RUN_OF.search(who):
                self._hit(int(match[1]), int(match[2]))
            self.done[f"{signal.Signals(int(number)).name} {_role(who)} at a step"] += 1
            if int(number) == signal.SIGSTOP and (actor := _now(self.home, pid)):
                at = time.monotonic() + self.schedule.chance.uniform(0.1, 1.0)
                self.waiting.append(Waiting(pid, actor.start, at))

    def go_on(self, *, all_of_them: bool = False) -> None:
        """SIGCONT to what was halted long enough."""
        for waiting in list(self.waiting):
            if all_of_them or time.monotonic() >= waiting.at:
                actors.Actor(waiting.pid, waiting.start, "").send(signal.SIGCONT)
                self.waiting.remove(waiting)

    def mend(self) -> None:
        """Set going what stands, as a person would."""
        now = time.monotonic()
        if now - self.mended_at < MEND or len(self.commands) > AT_MOST:
            return
        self.mended_at = now
        verb = self.schedule.chance.choice((("resume",), ("retry", "--failed"), ("run",)))
        if verb == ("run",):
            self.launch()
        else:
            self.start(*verb)

    def _launchers(self, count: int) -> None:
        if len(self.commands) + count > AT_MOST:
            return
        self.wanted += self.schedule.chance.randrange(3)
        for _ in range(count):
            self.launch()
        self.done[f"{count} launchers at once"] += 1

    def _supervisors(self, count: int) -> None:
        found = records.batches(self.root)
        if not found or len(self.commands) + count > AT_MOST:
            return
        folder = str(self.schedule.chance.choice(found).path)
        for _ in range(count):
            self.start(folder, program=(PYTHON, "-P", "-m", "nbbg.supervisor"))
        self.done[f"{count} supervisors at once"] += 1

    def _reboot(self) -> None:
        """All ends at once, and what was recorded belongs to an earlier boot."""
        self.deeds.everything = True
        actors.kill_all(self.home)
        self._look_away()
        self.waiting.clear()
        for command in self.commands:
            command.process.wait(20)
        self.reap()
        for batch in records.batches(self.root):
            for attempt in batch.attempts():
                for name in ("process.json", "ticket.json"):
                    if (fact := attempt.fact(name)) and not attempt.fact("result.json"):
                        path = attempt.path / name
                        path.write_text(json.dumps({**fact, "boot": f"before {time.time()}"}))
                        self.checker.forget(path)
        self.done["reboot"] += 1
        self.mended_at = 0.0
        self.checker.look(self.status)

    def _stop(self) -> None:
        """Stop every batch while nobody starts anything, and see that nothing is left."""
        self.disarm()
        self.go_on(all_of_them=True)
        self._end_commands()
        self._look_away()
        if not records.batches(self.root):
            return
        self.deeds.stops = True
        for actor in actors.find(self.home):  # a stop must get along with these
            chance = self.schedule.chance.random()
            if actor.role in (actors.ENGINE, actors.KERNEL, actors.RUNNER) and chance < 0.3:
                self._hit(actor.run, actor.attempt)
                actor.send(signal.SIGSTOP)
                self.done[f"SIGSTOP {actor.role}, then nbbg stop"] += 1
            elif actor.role in (actors.RUNNER, actors.SUPERVISOR) and chance < 0.5:
                self._hit(actor.run, actor.attempt)
                actor.send(signal.SIGKILL)
                self.done[f"SIGKILL {actor.role}, then nbbg stop"] += 1
        for batch in records.batches(self.root):
            self.call("stop", f"b{batch.number}")
        deadline = time.monotonic() + 15
        while left := self._of_runs():
            if time.monotonic() > deadline:
                self.checker.blame(f"left behind by a stop: {left}")
                break
            time.sleep(0.05)
        self.done["stop"] += 1
        self.checker.look(self.status)
        self.mended_at = 0.0

    def _of_runs(self) -> list[actors.Actor]:
        roles = (actors.LAUNCHER, actors.TMUX, actors.OTHER)
        return [actor for actor in actors.find(self.home) if actor.role not in roles]

    def disarm(self) -> None:
        """Take back the faults that lie in wait."""
        for laid in self.faults.iterdir():
            if laid.is_file():
                laid.unlink(missing_ok=True)
        self.collect()

    def _end_commands(self) -> None:
        deadline = time.monotonic() + 60
        while self.commands and time.monotonic() < deadline:
            self.go_on(all_of_them=True)
            self.collect()
            self.reap()
            time.sleep(0.02)
        for command in self.commands:
            self.checker.blame(f"hangs: {command.words}: {command.text()[-500:]}")

    # The end.

    @property
    def executed(self) -> int:
        """How many attempts were begun."""
        return sum(len(batch.attempts()) for batch in records.batches(self.root))

    def finish(self) -> None:
        """No more faults: all comes to its end, and every invariant holds."""
        self.disarm()
        self._end_commands()
        self._look_away()
        deadline = time.monotonic() + CONVERGES
        while True:
            self.go_on(all_of_them=True)
            self.collect()
            for words in (("run", workload.NAME, "--runs", str(self.wanted), *self.options),):
                self.call(*words)
            self.call("resume")
            self.call("retry", "--failed")
            with contextlib.suppress(subprocess.TimeoutExpired):
                names = [f"b{batch.number}" for batch in records.batches(self.root)]
                self.call("wait", *names, "--timeout", "20")
            said = self.checker.look(self.status)
            if {run["state"] for run in said["runs"]} == {"succeeded"}:
                break
            if time.monotonic() > deadline:
                break
        self._check_end(said)

    def _check_end(self, said: Json) -> None:
        self.checker.check_through(said)
        for run in self.schedule.chance.sample(said["runs"], min(2, len(said["runs"]))):
            shown = workload.Proof(self.root, run["id"], run["attempt"]).shown
            with contextlib.suppress(ValueError):
                notebook = json.loads(self.call("notebook", str(run["id"]), "-o", "-"))
                self.checker.check_composed(notebook, run["id"], run["attempt"], shown)
        deadline = time.monotonic() + 15
        while left := self._of_runs():
            if time.monotonic() > deadline:
                self.checker.blame(f"left behind at the end: {left}")
                break
            time.sleep(0.05)

    def close(self, *, keep: bool = False) -> None:
        """End what is left of it, and remove it."""
        actors.kill_all(self.home)
        self._look_away()
        for command in self.commands:
            command.process.wait(20)
        if not keep:
            shutil.rmtree(self.home)


def _role(who: str) -> str:
    if "/nbbg/runner/" in who:
        return actors.RUNNER
    if "/nbbg/supervisor/" in who:
        return actors.SUPERVISOR
    if "ipykernel" in who or "kernel_start" in who:
        return actors.KERNEL
    if "/guest" in who or "engines/kernel" in who:
        return actors.ENGINE
    return actors.LAUNCHER


def _now(home: Path, pid: int) -> actors.Actor | None:
    return next((actor for actor in actors.find(home) if actor.pid == pid), None)
