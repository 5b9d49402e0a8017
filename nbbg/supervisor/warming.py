"""Warm starts of a batch: which of its runs are forked from a template, and what that imports.

A template belongs to an interpreter and an environment. The first one imports what its notebook
names, and then, while it serves, what the batch's other notebooks name; when a first run of a
notebook has ended, it imports all that was loaded then. A run that can't be warm is started as if
there were no templates, and says why.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, process
from nbbg.classes import dataclass, field, replace
from nbbg.executors.templates import Template
from nbbg.runner import environment
from nbbg.store import place, plans, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbbg.executors import Ticket

SEVERAL = 3  # runs, for which a template is worth its start
CRASHES = 3  # of the templates of one interpreter, after which there is none
MOST = 4  # templates at a time
OTHERS = 10  # notebooks beside the first whose imports are looked for


@dataclass
class _Kind:
    """One template after the other, for runs of one interpreter and environment."""

    python: str
    environment: Mapping[str, str]
    template: Template | None = None
    names: list[str] = field(default_factory=list)  # what it is to import
    left_out: dict[str, str] = field(default_factory=dict)
    learned: set[str] = field(default_factory=set)  # frozen notebooks whose modules are known
    began: int = 0  # how often
    first: str = ""  # the frozen notebook whose imports the template begins with
    whole: bool = False  # whether it was told of the others
    never: str = ""


class Warming:
    """The templates of a batch.

    Args:
        folder: the batch's.
        batch: its record.
        environment: what its runs are given.
    """

    def __init__(self, folder: Path, batch: model.Batch, given: Mapping[str, str]) -> None:
        self._folder, self._batch, self._given = folder, batch, given
        self._jobs = batch.jobs
        self._kinds: dict[str, _Kind] = {}
        self._of_arms: dict[tuple[str, int], _Kind] = {}
        self._known = _read(folder)
        self._told: bool | None = None  # whether runs wait; a supervisor before may have told so
        self._found: model.Planned | None = None  # the run that was asked for last
        several = batch.last - batch.first + 1 >= SEVERAL
        self.on = batch.warm == model.ON or several

    def watches(self) -> Sequence[process.Watched]:
        """What has something to say, when what has been said is taken in."""
        self.look()
        return [each.template for each in self._kinds.values() if each.template]

    def look(self) -> None:
        """Take in what templates say."""
        for kind in self._kinds.values():
            template = kind.template
            if template is None:
                continue
            if template.hear():
                kind.left_out.update(template.left_out)
                if kind.left_out or template.loaded:  # on a full disk, a page more is a run less
                    self._note(kind, template)
            self._tell_of_others(kind, template)
            kind.never = kind.never or template.never
            if not template.alive:
                kind.template = None

    def begins(self, run: int, jobs: int) -> bool:
        """Whether that run is to wait for its template.

        Args:
            run: the next.
            jobs: how many there are at a time, which decides how many threads each has.
        """
        self._jobs = jobs
        self.look()
        kind = self._kind(run)
        waits = kind is not None and kind.template is not None and kind.template.begins
        self._tell(waits=waits)
        return waits

    def order(self, run: int) -> dict[str, Any]:
        """What the runner is told."""
        kind = self._kind(run)
        return {"note_modules": True} if kind and self._frozen(run) not in kind.learned else {}

    def submit(self, run: int, attempt: Path) -> Ticket | str:
        """Fork a runner; or why it has to be started without, empty where none was asked for."""
        kind = self._kind(run)
        if kind is None:
            return ""
        if kind.template is None or not kind.template.ready:
            return kind.never or "its template was not ready"
        found = kind.template.submit(attempt)
        if not isinstance(found, str):
            kind.began = 1
        if not kind.template.alive:
            kind.template = None
        return found

    def learn(self, run: int, attempt: files.Folder) -> None:
        """That run has ended: what was loaded then shall be loaded from now on."""
        kind = self._kind(run) if self.on else None
        with contextlib.suppress(OSError, ValueError):
            loaded = (attempt.read_json(paths.MODULES) or {}).get("modules")
            attempt.remove(paths.MODULES)
            template = kind.template if kind else None
            if not loaded or not kind or not template or self._frozen(run) in kind.learned:
                return
            if template.alive and template.ready and not template.busy:
                kind.learned.add(self._frozen(run))
                kind.names = list(dict.fromkeys([*kind.names, *self._chosen(loaded)]))
                template.grow(kind.names)

    def _tell_of_others(self, kind: _Kind, template: Template) -> None:
        """Once it serves it imports what the other notebooks name, for which no run waits."""
        if kind.whole or not template.ready or template.busy:
            return
        kind.whole = True
        arms = self._batch.arms.values()
        mine = (arm for arm in arms if (arm.engine, arm.python) == ("ipython", kind.python))
        others = [each for each in dict.fromkeys(arm.frozen for arm in mine) if each != kind.first]
        if others:
            template.grow(kind.names, [str(self._folder / each) for each in others[:OTHERS]])

    def close(self) -> None:
        """End all templates; what they have forked goes on."""
        self._tell(waits=False)
        for kind in self._kinds.values():
            if kind.template:
                kind.template.end()
                kind.template = None

    def _tell(self, *, waits: bool) -> None:
        """To `status`, which would have nothing to say of runs that wait."""
        if waits == self._told:
            return
        self._told = waits
        with contextlib.suppress(OSError):
            if waits:
                (self._folder / paths.IMPORTING).touch(files.FILE_MODE)
            else:
                (self._folder / paths.IMPORTING).unlink()

    def _kind(self, run: int) -> _Kind | None:
        """With its template, if there can be one; None where runs of it are never warm."""
        if not self.on:
            return None
        plan = self._plan(run)
        arm = self._batch.arms[plan.arm]
        if arm.engine != "ipython":
            return None
        known = (plan.arm, self._jobs)
        if known not in self._of_arms:
            given = self._environment(plan)
            key = json.dumps([arm.python, sorted(given.items())])
            self._of_arms[known] = self._kinds.setdefault(key, _Kind(arm.python, given))
        kind = self._of_arms[known]
        if kind.template is None and not kind.never:
            self._begin(kind, arm)
        return kind

    def _begin(self, kind: _Kind, arm: model.Arm) -> None:
        if not process.LINUX:  # not even tried: elsewhere there are no such sockets
            kind.never = "warm starts need CPython on Linux"
        elif kind.began >= CRASHES:
            kind.never = f"its template has ended {CRASHES} times; see {paths.SUPERVISOR_LOG}"
        elif sum(each.template is not None for each in self._kinds.values()) >= MOST:
            return
        else:
            kind.began += 1
            kind.first, kind.whole = arm.frozen, False
            known = self._known.get(kind.python, {})
            with contextlib.suppress(OSError):
                kind.names = kind.names or self._chosen(known.get("modules", ()))
                kind.left_out = {**self._excluded(), **known.get("left_out", {}), **kind.left_out}
                order = {"names": kind.names, "left_out": kind.left_out, "asked": self._chosen(())}
                notebook = str(self._folder / arm.frozen)
                where = {"cwd": arm.cwd, "path": arm.notebook, "notebook": notebook}
                kind.template = Template(
                    kind.python, self._folder, kind.environment, {**order, **where}
                )

    def _environment(self, plan: model.Planned) -> dict[str, str]:
        """Of the runs of an arm, but for what each has for itself."""
        batch = replace(self._batch, jobs=self._jobs)
        run = runs.planned(place.of_batch(self._folder), batch, plan, 1)
        return environment.of_template(self._given, self._folder, batch, run)

    def _chosen(self, names: Sequence[str]) -> list[str]:
        more = [name for name in self._batch.preload if not name.startswith("-")]
        return list(dict.fromkeys([*more, *names]))

    def _excluded(self) -> dict[str, str]:
        names = (name[1:] for name in self._batch.preload if name.startswith("-"))
        return dict.fromkeys(names, "")

    def _frozen(self, run: int) -> str:
        return self._batch.arms[self._plan(run).arm].frozen

    def _plan(self, run: int) -> model.Planned:
        """A run is asked for several times in a row."""
        if self._found is None or self._found.id != run:
            self._found = plans.find(self._folder / paths.PLAN, run)
        return self._found

    def _note(self, kind: _Kind, template: Template) -> None:
        """In the batch, for the next template and for who looks."""
        told = {name: why for name, why in kind.left_out.items() if why}
        known = self._known.setdefault(kind.python, {})
        known["left_out"] = told
        known["modules"] = list(dict.fromkeys([*known.get("modules", ()), *template.loaded]))
        with contextlib.suppress(OSError), files.Folder(self._folder) as folder:
            folder.replace(paths.WARM, files.to_json(self._known))


def _read(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError), files.Folder(folder) as opened:
        return opened.read_json(paths.WARM) or {}
    return {}
