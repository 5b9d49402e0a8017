"""What a source of parameters means, told from its shape.

| shape | is |
|---|---|
| names with values, not all of them lists | one set |
| names with lists alone | sets side by side, as many as each is long; or every combination |
| a list of sets | each of them |
| names with configurations (`notebook` or `output_label` in them) | one set each, as `config` |
| names with profiles (`notebook_dir_or_file` in them) | one launch of millrun's each |
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass, field, replace
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.ops.paramfiles import Node

NOTEBOOK, LABEL = "notebook", "output_label"  # what a named configuration says of itself
PROFILE = "notebook_dir_or_file"
CONFIG = "config"  # the variable that a named configuration is injected as


@dataclass(frozen=True)
class Given:
    """One set of parameters, as asked."""

    params: Mapping[str, Any]
    config: Mapping[str, Any] | None = None  # the whole of a named configuration
    label: str = ""  # of a named configuration
    notebook: str = ""  # its own, where it names one
    file: str = ""  # that says so

    @property
    def values(self) -> dict[str, Any]:
        """Every value by its name, those of the configuration too."""
        return {**(self.config or {}), **self.params}

    def over(self, later: Given, *, varies: Iterable[str] = ()) -> Given:
        """Both of them, where the later wins.

        Args:
            later: such as what stands after `-p`.
            varies: the names whose values differ over a configuration, which its label then says.

        Raises:
            UsageError: both are named configurations.
        """
        if self.config is not None and later.config is not None:
            raise UsageError("two files of named configurations can't be combined; give one")
        if later.config is not None:
            return replace(later, params={**self.params, **later.params})
        params = {**self.params, **later.params}
        if self.config is None:
            return replace(self, params=params)
        own = {name: params.pop(name) for name in list(params) if name in self.config}
        told = ",".join(f"{name}={later.params[name]}" for name in varies)
        label = ",".join(filter(None, (self.label, told)))
        return replace(self, params=params, config={**self.config, **own}, label=label)


PLAIN = Given({})


@dataclass(frozen=True)
class Profile:
    """One entry of a file of profiles."""

    name: str
    node: Node = field(repr=False)


def profiles(node: Node) -> list[Profile]:
    """The profiles that a file holds; none where it is no such file.

    Raises:
        UsageError: only some of its entries are profiles.
    """
    entries = _mappings(node)
    if not any(PROFILE in entry.value for entry in entries.values()):
        return []
    _refuse_mixed(node, entries, lambda entry: PROFILE in entry.value, f"a profile: {PROFILE}")
    return [Profile(name, entry) for name, entry in entries.items()]


def sets(node: Node, *, product: bool = False, broadcast: bool = False) -> list[Given]:
    """The sets of parameters that a source holds, at least one.

    Args:
        node: of a file, or of what a Python caller gave.
        product: every combination of lists, instead of the first of each, the second of each, ...
        broadcast: whether a plain value beside lists goes into every set; else all of it is one
            set, in which a list is a value.

    Raises:
        UsageError: it has none of the shapes, with the place.
    """
    if isinstance(node.value, list):
        return _of_list(node)
    if not isinstance(node.value, dict):
        problem = f"the value {node.value!r}; parameters are names with values: lr: 0.1"
        raise UsageError(f"{node.where}: {problem}")
    if not node.value:
        raise UsageError(f"{node.where}: holds no parameter")
    entries = _mappings(node)
    if any({NOTEBOOK, LABEL} & entry.value.keys() for entry in entries.values()):
        _refuse_mixed(node, entries, lambda _: True, "a configuration: names with values in { }")
        return [_configuration(name, entry) for name, entry in entries.items()]
    check_names(node)
    return [Given(one) for one in _of_lists(node, product=product, broadcast=broadcast)]


def combined(
    lists: Mapping[str, Sequence[Any]], *, product: bool, where: str, hint: str
) -> list[dict[str, Any]]:
    """Sets from values by name: of each the first, the second, ..., or every combination.

    Raises:
        UsageError: lists that are to be taken side by side are not equally long.
    """
    if product:
        return [dict(zip(lists, chosen, strict=True)) for chosen in _grid(lists)]
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UsageError(f"{where}: the lists are not equally long: {told}\n{hint}")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def check_names(node: Node) -> None:
    """Refuse names that no variable can have.

    Raises:
        UsageError: one is none, with the place.
    """
    for name, value in node.value.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{value.where}: {name!r} can't be the name of a parameter")


def _grid(lists: Mapping[str, Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    return itertools.product(*lists.values())


def _mappings(node: Node) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        return {}
    return {name: one for name, one in node.value.items() if isinstance(one.value, dict)}


def _refuse_mixed(node: Node, entries: Mapping[str, Node], fits: Any, wanted: str) -> None:
    for name, one in node.value.items():
        if name not in entries or not fits(one):
            raise UsageError(f"{one.where}: {name!r} is not, as others here are, {wanted}")


def _of_list(node: Node) -> list[Given]:
    if not node.value:
        raise UsageError(f"{node.where}: an empty list; it should hold sets: [{{lr: 0.1}}]")
    for one in node.value:
        if not isinstance(one.value, dict):
            raise UsageError(
                f"{one.where}: {one.data!r} in a list of sets; each is names with values: lr: 0.1"
            )
        check_names(one)
    return [Given(one.data) for one in node.value]


def _of_lists(node: Node, *, product: bool, broadcast: bool) -> list[dict[str, Any]]:
    lists = {name: one for name, one in node.value.items() if isinstance(one.value, list)}
    plain = {name: one for name, one in node.value.items() if name not in lists}
    if not lists or (plain and not broadcast):
        return [node.data]
    for name, one in lists.items():
        if not one.value:
            raise UsageError(f"{one.where}: {name} is an empty list; it should hold values")
    values = {name: one.data for name, one in lists.items()}
    hint = "make them so; or --product (product=True) for every combination"
    found = combined(values, product=product, where=node.where, hint=hint)
    rest = {name: one.data for name, one in plain.items()}
    order = list(node.value)
    return [{name: {**rest, **one}[name] for name in order} for one in found]


def _configuration(name: str, node: Node) -> Given:
    config = node.data
    for key in (NOTEBOOK, LABEL):
        if key in config and not (isinstance(config[key], str) and config[key].strip()):
            raise UsageError(f"{node.value[key].where}: {key} must be a text")
    return Given(
        params={},
        config=config,
        label=config.get(LABEL, name),
        notebook=config.get(NOTEBOOK, ""),
        file=node.file,
    )
