"""Names and outputs of the arms that a launch wants.

An arm's identity is its notebook, all that it is given, and the base of its seeds. Its name is
made once, from what varies in the launch that first wants it, and then stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nbbg.classes import replace
from nbbg.errors import UsageError
from nbbg.ops import layout, naming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbbg import model
    from nbbg.ops.arms import Wanted

OPTION = "--name"


class Names:
    """The names of a project's arms, and of those that are added to them.

    Args:
        root: the project's.
        known: its arms, oldest first; the newest form of each name counts.
        template: what was given as `--name`, or nothing.
        several: whether the launch is about several runs of each arm.
    """

    def __init__(
        self, root: str, known: Iterable[model.Arm], template: str = "", *, several: bool = False
    ) -> None:
        self._root, self._template, self._several = root, template, several
        self._newest: dict[str, model.Arm] = {}
        self._same: dict[tuple[str, str, int], dict[str, model.Arm]] = {}
        self._outputs: dict[str, str] = {}
        for arm in known:
            self._newest[arm.name] = arm
        for arm in self._newest.values():
            self._same.setdefault(arm.identity(), {})[arm.name] = arm

    def settle(self, want: Wanted) -> model.Arm:
        """The arm under its name: that of the earlier one that it goes on with, if there is one.

        Raises:
            UsageError: the name belongs to another arm, or is none; or its output can't be named.
        """
        name = self._given(want) if self._template else self._own(want)
        arm = replace(want.arm, name=name)
        taken = self._newest.get(name)
        if taken and taken.identity() != arm.identity():
            message = f"the name {name!r} belongs to another arm: {_described(taken)}"
            raise UsageError(message)
        arm = replace(arm, output=self._output(want, name))
        self._newest[name] = arm
        self._same.setdefault(arm.identity(), {})[name] = arm
        return arm

    def _own(self, want: Wanted) -> str:
        # A name that somebody gave is joined without giving it again only where it is the only one.
        arm = want.arm
        same = list(self._same.get(arm.identity(), {}).values())
        by = (arm.notebook, arm.params, arm.seed)
        if not same:
            return naming.shortest(*by, self._newest, want.told)
        short = naming.usual(*by, want.told)
        unchanged = [each for each in same if each.source == arm.source]
        usual = [each for each in same if each.name in short]
        return next(iter([*usual, *unchanged[::-1], *same])).name

    def _given(self, want: Wanted) -> str:
        """What `--name` says, filled in."""
        own = naming.shortest(want.arm.notebook, want.arm.params, want.arm.seed, (), want.told)
        values = {name: layout.part(value) for name, value in want.given.values.items()}
        stem = naming.shortest(want.arm.notebook, {}, 0, ())
        rest = naming.rest(want.arm.notebook, own)
        known = {**values, "notebook": stem, "arm": rest, "seed": str(want.arm.seed)}
        name = layout.fill(self._template, known, OPTION)
        check(name)
        return name

    def _output(self, want: Wanted, name: str) -> str:
        configured = want.given.config is not None
        rest = want.given.label if configured else naming.rest(want.arm.notebook, name)
        about = layout.Subject(
            root=self._root,
            notebook=want.path,
            rest=rest,
            values=want.given.values,
            index=want.index,
            several=self._several,
            configured=configured,
        )
        path = layout.output(want.layout, about)
        usual = not (want.layout.template or want.layout.by_parts or configured)
        if usual and self._outputs.setdefault(path, name) != name:  # a/b beside a_b
            return layout.output(
                want.layout, replace(about, rest=f"{rest[:60]}_{naming.short(name)}")
            )
        return path


def check(name: str) -> None:
    """Refuse what can't be the name of an arm.

    Raises:
        UsageError: it can't.
    """
    parts = name.split("/")
    if not name.isprintable() or name.startswith("arm:") or {"", ".", ".."} & set(parts):
        message = f"--name {name!r}: a name such as base or base/wide"
        raise UsageError(message)


def check_template(template: str, arms: int) -> None:
    """Refuse a `--name` that would name several arms alike, or a field that no name can have.

    Raises:
        UsageError: it does.
    """
    found = layout.fields(template, OPTION)
    if arms > 1 and not found:
        message = (
            f"--name names one arm, and this launch has {arms}\n"
            "with what varies in it: --name 'base/{arm}'"
        )
        raise UsageError(message)
    if wrong := {"number", "run"} & set(found):
        field = min(wrong)
        message = f"--name {template}: {{{field}}} is a run's, and an arm has many"
        raise UsageError(message)
    if not found:
        check(template)


def _described(arm: model.Arm) -> str:
    given = f", parameters {json.dumps(dict(arm.params))}" if arm.params else ""
    return f"{arm.notebook}{given}, seed base {arm.seed}"
