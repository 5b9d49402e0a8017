"""A file of parameters, YAML or JSON, as values that know where in the file they stand.

YAML is read as people mean it who write parameters: an unquoted value is what it would be after
`-p` (`no`, `007` and dates are text, `1e-3` is a number, True and None are Python's), or else a
number, bool or null of YAML 1.2. PyYAML parses; its own typing, that of YAML 1.1, is not used.
Anchors, aliases and `<<` work; tags do not, and a name that is there twice is refused. Every error
is one line with the file, the line and the column.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.ops import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = ".json"
MOST = 200_000  # values of one file, which aliases of aliases could multiply for ever
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_NOT_JSON = frozenset({"NaN", "Infinity", "-Infinity"})
_NUMBER = re.compile(
    r"[-+]?(?:0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][-+]?[0-9]+)?"  # without leading zeros
)
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "Null", "NULL"), None),
    "TRUE": True,
    "FALSE": False,
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{f"{sign}{word}": math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}


@dataclass(frozen=True)
class Node:
    """A value and where it stands; `value` is a dict or a list of nodes, or a plain value."""

    value: Any
    file: str
    line: int  # from 1
    column: int  # from 1

    @property
    def where(self) -> str:
        """As editors and compilers write it: `params.yaml:3:7`."""
        if not self.line:  # not of a file
            return self.file
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def data(self) -> Any:
        """The value as plain data."""
        if isinstance(self.value, dict):
            return {name: node.data for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.data for node in self.value]
        return self.value


def read(path: str) -> Node:
    """What a file holds; JSON where its name ends so, else YAML.

    Raises:
        UsageError: it can't be read; the message has the file, the line and the column.
    """
    text = _text(path)
    if not text.strip():
        raise UsageError(f"{path} is empty\nit should hold names and values, such as lr: 0.1")
    try:
        found = _json(text, path) if Path(path).suffix.lower() == JSON else _yaml(text, path)
    except RecursionError as error:
        raise UsageError(f"{path}: its values are nested too deeply, or in themselves") from error
    return found


def of_data(value: Any, name: str) -> Node:
    """A value of Python's, NumPy's or pandas', of which places say its name alone."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        inner: Any = {key: of_data(one, f"{name}[{key!r}]") for key, one in value.items()}
    elif isinstance(value, (list, range)):
        inner = [of_data(one, f"{name}[{index}]") for index, one in enumerate(value)]
    else:
        inner = value
    return Node(inner, name, 0, 0)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"-f {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is no UTF-8") from error


def _refuse(file: str, line: int, column: int, problem: str) -> NoReturn:
    raise UsageError(f"{file}:{line}:{column}: {problem}")


def _add(into: dict[str, Node], name: str, value: Node, at: Node) -> None:
    """Put a value under its name, which must be new."""
    if name in into:
        problem = f"{name!r} is there already, in line {into[name].line}"
        _refuse(at.file, at.line, at.column, problem)
    into[name] = value


# JSON: checked by the standard library, and then taken apart once more for the places.


def _json(text: str, path: str) -> Node:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        _refuse(path, error.lineno, error.colno, f"no JSON: {error.msg}")
    except ValueError as error:  # an integer of thousands of digits
        raise UsageError(f"{path}: {error}") from error
    return _json_value(_tokens(text, path))


def _tokens(text: str, path: str) -> Iterator[Node]:
    """Each token with its place."""
    line, start, seen = 1, 0, 0
    for token in _TOKEN.finditer(text):
        if breaks := text.count("\n", seen, token.start()):
            line += breaks
            start = text.rindex("\n", seen, token.start()) + 1
        seen = token.start()
        yield Node(token[0], path, line, token.start() - start + 1)


def _json_value(tokens: Iterator[Node], token: Node | None = None) -> Node:
    token = token or next(tokens)
    if token.value == "{":
        return _at(token, _json_object(tokens))
    if token.value == "[":
        return _at(token, _json_list(tokens))
    if token.value in _NOT_JSON:
        problem = f"JSON has no {token.value}; in a YAML file it is .nan or .inf"
        _refuse(token.file, token.line, token.column, problem)
    return _at(token, json.loads(token.value))


def _json_object(tokens: Iterator[Node]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for token in tokens:
        if token.value == "}":
            break
        if token.value != ",":
            next(tokens)  # the colon
            _add(found, json.loads(token.value), _json_value(tokens), token)
    return found


def _json_list(tokens: Iterator[Node]) -> list[Node]:
    found = []
    for token in tokens:
        if token.value == "]":
            break
        if token.value != ",":
            found.append(_json_value(tokens, token))
    return found


def _at(token: Node, value: Any) -> Node:
    return Node(value, token.file, token.line, token.column)


# YAML: PyYAML's nodes, typed here.


def _yaml(text: str, path: str) -> Node:
    import yaml

    try:
        found = yaml.compose(text, _loader(yaml))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = " ".join(filter(None, (error.context, error.problem)))
        _refuse(path, line, column, f"no YAML: {problem}{_hint(problem)}")
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        _refuse(path, before.count("\n") + 1, column, "a character that YAML does not have")
    if found is None:  # comments alone
        raise UsageError(f"{path} is empty\nit should hold names and values, such as lr: 0.1")
    return _Typing(path).of(found)


def _hint(problem: str) -> str:
    return "; YAML takes spaces, not tabs" if r"'\t'" in problem else ""


_PLAIN = "nbbg:plain"  # the tag of a scalar that is neither quoted nor tagged
_TEXT = "tag:yaml.org,2002:str"


def _loader(yaml: Any) -> Any:
    """PyYAML's parser without its own typing; not the one in C, which deep nesting crashes."""

    class Loader(yaml.BaseLoader):  # type: ignore[misc]
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            if kind is yaml.ScalarNode and implicit[0]:
                return _PLAIN
            return super().resolve(kind, value, implicit)

    return Loader


class _Typing:
    """The nodes of one YAML file, typed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._made: dict[int, tuple[Node, int]] = {}  # by the identity of PyYAML's node

    def of(self, found: Any) -> Node:
        """A node of PyYAML's as one of ours; what an alias stands for is made once."""
        if id(found) not in self._made:
            make: Callable[[Any], Any] = getattr(self, f"_{found.id}")
            node = self._node(found, make(found))
            self._made[id(found)] = node, self._size(found)
        node, size = self._made[id(found)]
        if size > MOST:
            raise UsageError(f"{self.path}: its aliases come to more than {MOST:,} values")
        return node

    def _size(self, found: Any) -> int:
        """How many values there are in it, those of aliases counted each time."""
        if found.id == "scalar":
            return 1
        inner = found.value if found.id == "sequence" else [value for _, value in found.value]
        return 1 + sum(self._made[id(one)][1] for one in inner)

    def _node(self, found: Any, value: Any) -> Node:
        return Node(value, self.path, found.start_mark.line + 1, found.start_mark.column + 1)

    def _scalar(self, found: Any) -> Any:
        if found.tag == _PLAIN:
            return typed(found.value)
        self._refuse_tag(found, _TEXT)
        return found.value

    def _sequence(self, found: Any) -> list[Node]:
        self._refuse_tag(found, "tag:yaml.org,2002:seq")
        return [self.of(item) for item in found.value]

    def _mapping(self, found: Any) -> dict[str, Node]:
        self._refuse_tag(found, "tag:yaml.org,2002:map")
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in found.value:
            if key.tag == _PLAIN and key.value == "<<":
                merged = self._merged(value) | merged
            else:
                _add(own, self._name(key), self.of(value), self._node(key, None))
        return merged | own

    def _merged(self, value: Any) -> dict[str, Node]:
        node = self.of(value)
        sources = node.value if isinstance(node.value, list) else [node]
        found: dict[str, Node] = {}
        for source in sources:
            if not isinstance(source.value, dict):
                _refuse(self.path, source.line, source.column, "`<<` takes names and values")
            found = source.value | found
        return found

    def _name(self, key: Any) -> str:
        node = self.of(key)
        if not isinstance(node.value, str):
            shown = f"{key.value} is" if key.id == "scalar" else "this is"
            _refuse(self.path, node.line, node.column, f"{shown} no name; a text needs quotes here")
        return node.value

    def _refuse_tag(self, found: Any, usual: str) -> None:
        if found.tag != usual:
            tag = found.tag.replace("tag:yaml.org,2002:", "!!")
            node = self._node(found, None)
            _refuse(self.path, node.line, node.column, f"the tag {tag} has no meaning here")


def typed(text: str) -> Any:
    """An unquoted value: as after `-p`, or a number, bool or null of YAML 1.2, or text."""
    if text in _WORDS:
        return _WORDS[text]
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if found := _NUMBER.fullmatch(text):
        return float(text) if found[1] or found[2] else _integer(text)
    if text[:1] in "[{\"' \t":  # never the start of an unquoted value
        return text
    return asked.typed(text)


def _integer(text: str) -> Any:
    try:
        return int(text)
    except ValueError:  # thousands of digits
        return text
