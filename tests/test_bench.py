"""The benchmarks' arithmetic, what they keep, and the page they write; no times are taken here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from bench import aims, kept, measure, page, peers, pictures, place, questions, tables
from bench.bench import Bench
from bench.measure import MEGABYTES, SECONDS, Case
from bench.questions import alive, cold, launching, loops, outputs, plans, reading


def new_bench(folder: Path, rounds: int = 3) -> Bench:
    """A bench without peers, that keeps its figures in a folder."""
    found = kept.Kept(folder / "figures.json")
    return Bench(folder, found, peers.Peers(folder), rounds, quick=True)


def test_an_interval_spares_what_its_level_allows() -> None:
    """The interval of a median is that of the sign test: all of 7 values, 2 to 8 of 9."""
    assert measure.middle([3, 1, 2]) == measure.Middle(2, 1, 3)
    assert measure.middle([*range(1, 8)]) == measure.Middle(4, 1, 7)
    assert measure.middle([*range(1, 10)]) == measure.Middle(5, 2, 8)
    assert measure.middle([*range(1, 16)]) == measure.Middle(8, 4, 12)
    assert measure.middle([5]) == measure.Middle(5, 5, 5)


def test_a_ratio_is_taken_round_by_round() -> None:
    """What slows a whole round down leaves the ratio as it was, and gaps do not count."""
    assert measure.ratio([2, 20, 200], [1, 10, 100]) == measure.Middle(2, 2, 2)
    assert measure.ratio([2, None, 6], [1, 1, None]) == measure.Middle(2, 2, 2)
    assert measure.ratio([], []) is None


def test_cases_take_turns_and_one_that_fails_is_left_out(tmp_path: Path) -> None:
    """A round has a go of each case, in alternating order; a failure is told, and ends no other."""
    order: list[str] = []

    def go(name: str) -> measure.Figures:
        order.append(name)
        if name == "bad" and len(order) > 5:
            raise RuntimeError("a long story\nits last line")
        return {SECONDS: float(len(order))}

    bench = new_bench(tmp_path)
    names = ("a", "bad", "c")
    bench.take("t", {name: Case(lambda name=name: go(name)) for name in names})  # type: ignore[misc]
    assert order[:6] == ["a", "bad", "c", "c", "bad", "a"]
    table = kept.load(bench.kept.path).table("t")
    assert table.rounds == 3
    assert table.rows["bad"].error == "its last line"
    assert table.rows["bad"].values() == [5.0]
    assert [value is not None for value in table.rows["c"].values()] == [True] * 3


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """Rounds that were kept are not taken again, and stand unchanged."""
    new_bench(tmp_path, 2).take("t", {"a": Case(lambda: {SECONDS: 1.0})})
    bench = Bench(tmp_path, kept.load(tmp_path / "figures.json"), peers.Peers(tmp_path), 4)
    assert not bench.is_done("t")
    bench.take("t", {"a": Case(lambda: {SECONDS: 2.0})})
    assert bench.kept.table("t").rows["a"].values() == [1.0, 1.0, 2.0, 2.0]
    assert bench.is_done("t")


def filled(folder: Path) -> kept.Kept:
    """Figures for every question that has aims or pictures."""
    found = kept.Kept(folder / "figures.json", machine={"processor": "abacus"})

    def add(key: str, *names: str) -> None:
        rows = {
            name: kept.Row(f"type {name}", 5, "", [dict.fromkeys(_FIGURES, 1.0 + at)] * 2)
            for at, name in enumerate(names)
        }
        found.tables[key] = kept.Table("today", 0.0, rows)

    add(loops.SMALL, loops.LOOP, loops.WARM, loops.COLD, loops.PAPERMILL, loops.MILLRUN)
    add(loops.PANDAS, loops.LOOP, loops.WARM)
    add(loops.NOTHING, loops.LOOP, loops.WARM)
    add(cold.KEY, cold.PLAIN, cold.RUN)
    add(launching.KEY, launching.NOTHING, launching.NOHUP, launching.RUN)
    for size in (*reading.SIZES, reading.MILLION):
        add(reading.key(size), reading.NOTHING, reading.STATUS, reading.SCREEN)
    for size in plans.SIZES:
        add(plans.key(size), plans.KEY)
    for size in outputs.SIZES:
        add(outputs.key(size), outputs.PLAIN, outputs.NBBG)
    add(outputs.MANY, outputs.REFERENCE, outputs.NBBG)
    add(alive.KEY, alive.ALL)
    add(alive.HELD, alive.COLD, alive.WARM)
    return found


_FIGURES = (
    *(SECONDS, MEGABYTES, launching.FIRST),
    *(f"{alive.row(alive.SUPERVISOR, 100)}/{what}" for what in (alive.RSS, alive.PSS, alive.SHARE)),
    *(plans.LAUNCH, plans.STATUS, plans.SHOW, plans.STOP, plans.RESUME, plans.SUPERVISOR),
)


def test_the_page_has_all_that_was_measured_and_says_what_was_not(tmp_path: Path) -> None:
    """Every question has its part, every aim its row; pictures are named only where they are."""
    found = filled(tmp_path)
    found.missing = {peers.TORCH: "left out", "convert": "no jupytext"}
    text = page.write(found, tmp_path).read_text()
    for question in questions.ALL.values():
        assert f"## {question.TITLE}\n" in text
    assert text.count("not measured |") == 2  # torch has two aims
    assert "Not there: torch (`left out`)" in text
    assert "Not all of it could be measured: `no jupytext`" in text
    pictures_named = {
        line[line.index("(") + 1 : -1] for line in text.splitlines() if line[:2] == "!["
    }
    there = {f"benchmarks/{path.name}" for path in (tmp_path / "benchmarks").glob("*.svg")}
    assert pictures_named == there
    assert len(there) >= 8
    for path in there:
        ET.parse(tmp_path / path)  # noqa: S314 - our own file


def test_an_aim_is_met_on_its_side(tmp_path: Path) -> None:
    """Times at most, and at least for a peer; a missed aim is said to be missed."""
    found = filled(tmp_path)
    ours, papermill = aims.ALL[0], aims.ALL[1]
    assert ours.is_met(measure.Middle(0.25, 0, 1))
    assert not ours.is_met(measure.Middle(0.26, 0, 1))
    assert papermill.is_met(measure.Middle(40, 0, 99))
    assert not papermill.is_met(measure.Middle(39, 0, 99))
    assert "**no**" in aims.tell(found)


def test_pictures_have_a_dark_side() -> None:
    """A picture carries the colours for dark pages, and no date that would change it each time."""
    svg = pictures.both_lights('<svg width="1"><path style="fill: #1f2328"/></svg>')
    assert svg.startswith('<svg width="1"><style>@media (prefers-color-scheme: dark)')


def test_figures_are_written_with_three_digits() -> None:
    """Numbers on the page claim no more than was measured."""
    assert [tables.digits(value) for value in (0.1234, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]
    assert tables.ms(0.0012) == "1.20"
    assert tables.spread(measure.Middle(1.5, 1, 2)) == "1,500 (1,000 to 2,000)"


def test_a_command_is_told_as_it_is_typed() -> None:
    """Commands on the page name no folder of the machine that they were measured on."""
    assert place.type_of("/opt/x/bin/papermill", "it.ipynb") == "papermill it.ipynb"


def test_an_error_is_the_last_line_that_was_said() -> None:
    """What a peer's installation said last stands on the page."""
    error = subprocess.CalledProcessError(1, ["pip"], stderr="trying\nno such package\n")
    assert peers.why(error) == "no such package"


def test_the_page_alone_needs_nothing(tmp_path: Path) -> None:
    """`--page` writes from what is kept, and measures nothing."""
    found = filled(tmp_path)
    found.path = tmp_path / page.PICTURES / page.FIGURES
    found.save()
    root = Path(__file__).parents[1]
    argv = [sys.executable, "-m", "bench", "--page", "--out", str(tmp_path)]
    subprocess.run(argv, check=True, cwd=root, capture_output=True)
    assert "abacus" in (tmp_path / page.NAME).read_text()
