"""Files of parameters: what their values are, and where an error stands in them."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbbg.errors import UsageError
from nbbg.ops import paramfiles, shapes, sources
from nbbg.ops.asked import typed

if TYPE_CHECKING:
    from pathlib import Path

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads a text as a file of the name `p.yaml`, or another."""

    def read(text: str | bytes, name: str = "p.yaml") -> Any:
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / name).write_bytes(data)
        return paramfiles.read(name).data

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1e-3", 0.001),
        ("1.5e3", 1500.0),
        ("007", "007"),
        ("2026-01-02", "2026-01-02"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("True", True),
        ("false", False),
        ("None", None),
        ("~", None),
        ("", None),
        ("inf", math.inf),
        ("-.inf", -math.inf),
        ("+1", 1),
        (".5", 0.5),
        ("0x1F", 31),
        ("0o17", 15),
        ("'1'", "1"),
        ('"no"', "no"),
        ("!!str 1", "1"),
        ("a=b", "a=b"),
        ("[1, no, {x: 1e-3}]", [1, "no", {"x": 0.001}]),
        ("|-\n  1\n  2", "1\n2"),
        ("5" * 5000, "5" * 5000),
    ],
)
def test_values_of_yaml(read: Any, text: str, value: Any) -> None:
    """An unquoted value is what people mean: YAML 1.1's surprises are text, `1e-3` is a number."""
    found = read(f"x: {text}\n")["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".nan", "nan", ".NaN"])
def test_nan_of_yaml(read: Any, text: str) -> None:
    """YAML's own nan and Python's are the number."""
    assert math.isnan(read(f"x: {text}")["x"])


@pytest.mark.parametrize(
    "text", ["1", "-1.5", "1e-3", "007", "no", "True", "None", "inf", "null", "x y", "NaN", "1_0"]
)
def test_a_value_is_the_same_after_p_and_in_a_file(read: Any, text: str) -> None:
    """What `-p` takes is read alike in a YAML file."""
    assert read(f"x: {text}")["x"] == typed(text)


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_comes_back(read: Any, value: Any) -> None:
    """Whatever JSON holds, a file of it gives, types included."""
    found = read(json.dumps({"x": value}, indent=1), "p.json")
    assert json.dumps(found) == json.dumps({"x": value})


def test_anchors(read: Any) -> None:
    """Aliases are what they stand for, and `<<` adds what is not there yet."""
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: {<<: [{r: 1}, *x]}\nd: *x"
    assert read(text) == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 3},
        "c": {"r": 1, "p": 1, "q": 2},
        "d": {"p": 1, "q": 2},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "p.yaml:3:1: 'a' is there already, in line 1"),
        ("a: 1\n\tb: 2", "p.yaml:2:1: no YAML: .*spaces, not tabs"),
        ("a:\n  b: [1, 2", "p.yaml:2:11: no YAML"),
        ("a: b: c", "p.yaml:1:5: no YAML"),
        ("a: *x", "p.yaml:1:4: no YAML: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2", "p.yaml:2:1: no YAML: expected a single document"),
        ("a: !!python/object/apply:os.system [ls]", "p.yaml:1:4: the tag !!python/.*no meaning"),
        ("a: !date 2026-01-01", "p.yaml:1:4: the tag !date"),
        ("a:\n  1: 2", "p.yaml:2:3: 1 is no name; a text needs quotes"),
        ("? [a]\n: 2", "p.yaml:1:3: this is no name"),
        ("a: 1\nb: \x01", "p.yaml:2:4: a character that YAML does not have"),
        ("a: &x [*x]", "p.yaml: its values are nested too deeply, or in themselves"),
        ("a: " + "[" * 600, "p.yaml: its values are nested too deeply"),
        ("a: {<<: 3}", "p.yaml:1:9: `<<` takes names and values"),
        ("", "p.yaml is empty"),
        ("# nothing\n", "p.yaml is empty"),
        (b"a: \xff", "p.yaml: byte 3 is no UTF-8"),
        ("- 1", "p.yaml:1:3: 1 in a list of sets; each is names with values"),
        ("{}", "p.yaml:1:1: holds no parameter"),
        ("a: []", "p.yaml:1:4: a is an empty list"),
        ("a: [1, 2]\nb: [1, 2, 3]", "p.yaml:1:1: the lists .*: a has 2, b has 3\n.*--product"),
        ("- a: 1\n- 2", "p.yaml:2:3: 2 in a list of sets"),
        ("a: {notebook: x}\nb: 3", "p.yaml:2:4: 'b' is not, as others here are, a configuration"),
        ("a: {notebook: 3}", "p.yaml:1:15: notebook must be a text"),
        ("a: {output_label: ''}", "p.yaml:1:19: output_label must be a text"),
        ("just text", "p.yaml:1:1: the value 'just text'; parameters are"),
        ("a-b: 1", "p.yaml:1:6: 'a-b' can't be the name of a parameter"),
    ],
)
def test_a_bad_yaml_file(tmp_path: Path, text: str | bytes, said: str) -> None:
    """What can't be meant is refused with the file, the line and the column."""
    (tmp_path / "p.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError, match=said) as caught:
        sources.sets(["p.yaml"], [])
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "a": 2}', "p.json:2:2: 'a' is there already, in line 1"),
        ('{"a": {"b": 1,\n\t"b": 2}}', "p.json:2:2: 'b' is there already"),
        ('{"a": 1,}', "p.json:1:9: no JSON"),
        ("{'a': 1}", "p.json:1:2: no JSON"),
        ('{"a": 1,\n  "b": NaN}', r"p.json:2:8: JSON has no NaN; .*\.nan"),
        ('{"a": "NaN, [", "b": [-Infinity]}', "p.json:1:23: JSON has no -Infinity"),
        ("[" * 100_000, "p.json: its values are nested too deeply"),
        ("[]", "p.json:1:1: an empty list"),
        ('{"a": ' + "5" * 5000 + "}", "p.json: .*digits"),
        (" ", "p.json is empty"),
    ],
)
def test_a_bad_json_file(tmp_path: Path, text: str, said: str) -> None:
    """A JSON file is read strictly, and its errors have their place too."""
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UsageError, match=said):
        sources.sets(["p.json"], [])


def test_aliases_do_not_multiply_for_ever(read: Any) -> None:
    """A few lines that stand for billions of values are refused, not expanded."""
    lines = ["a: &a [" + "x," * 10 + "]"]
    names = "abcdefghijklmnopqrst"
    lines += [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in itertools.pairwise(names)]
    with pytest.raises(UsageError, match="aliases"):
        read("\n".join(lines))


@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_a_file_that_is_none(name: str) -> None:
    """A missing file and a folder are named."""
    with pytest.raises(UsageError, match=f"-f {name}: "):
        sources.sets([name], [])


def test_who_wins(tmp_path: Path) -> None:
    """A later file wins over an earlier one, and `-p` over both."""
    (tmp_path / "a.yaml").write_text("x: 1\ny: 1\nz: 1\n")
    (tmp_path / "b.json").write_text('\ufeff{"y": 2, "z": 2}')
    assert [one.params for one in sources.sets(["a.yaml", "b.json"], ["z=3"])] == [
        {"x": 1, "y": 2, "z": 3}
    ]
    assert sources.sets([], []) == [shapes.PLAIN]


@pytest.mark.parametrize("text", ["x", "=1", "a b=1", "1x=2"])
def test_what_p_takes(text: str) -> None:
    """`-p` without a name or a value is refused with an example."""
    with pytest.raises(UsageError, match="NAME=VALUE"):
        sources.sets([], [text])


def test_p_twice() -> None:
    """A name given twice is refused; `=` may be part of a value, which may be empty."""
    (found,) = sources.sets([], ["a=b=c", " d =", "e= 1"])
    assert found.params == {"a": "b=c", "d": "", "e": 1}
    with pytest.raises(UsageError, match="-p a is given twice"):
        sources.sets([], ["a=1", "a=2"])
