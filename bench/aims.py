"""What nbbg aims at, and whether what was measured meets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import tables
from bench.measure import MEGABYTES, SECONDS
from bench.pictures import INK, OURS, PALE, PAPER, THEIRS, Drawing, figure_of
from bench.questions import alive, cold, launching, loops, outputs, reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.kept import Kept
    from bench.measure import Middle


@dataclass(frozen=True)
class Aim:
    """A figure and its limit: a ratio to a base, or ms where there is none."""

    work: str
    key: str
    name: str
    base: str
    limit: float
    figure: str = SECONDS
    at_least: bool = False
    unit: str = "ms a run"  # where there is no base

    def found(self, kept: Kept) -> Middle | None:
        """What was measured."""
        table = kept.table(self.key)
        if self.base:
            return table.ratio(self.name, self.base, self.figure)
        row = table.rows.get(self.name)
        found = row.middle(self.figure) if row else None
        return found and found.scaled(1000 if self.figure == SECONDS else 1)

    def is_met(self, found: Middle) -> bool:
        """Whether the median keeps within the limit."""
        return found.value >= self.limit if self.at_least else found.value <= self.limit

    @property
    def wanted(self) -> str:
        """The limit as it is told."""
        unit = f"times {self.base}" if self.base else self.unit
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g} {unit}"


_PANDAS = "with pandas and scikit-learn"
_SUPERVISOR = f"{alive.row(alive.SUPERVISOR, 100)}/"
ALL = (
    Aim("100 short runs, NumPy, one at a time", loops.SMALL, loops.WARM, loops.LOOP, 0.25),
    Aim("the same by papermill", loops.SMALL, loops.PAPERMILL, loops.WARM, 40, at_least=True),
    Aim("the same by millrun", loops.SMALL, loops.MILLRUN, loops.WARM, 25, at_least=True),
    Aim(f"100 short runs {_PANDAS}", loops.PANDAS, loops.WARM, loops.LOOP, 0.06),
    Aim("100 short runs with torch", loops.TORCHED, loops.WARM, loops.LOOP, 0.06),
    Aim(f"memory of 20 at once {_PANDAS}", alive.HELD, alive.WARM, alive.COLD, 0.25, MEGABYTES),
    Aim("memory of 20 at once with torch", alive.TORCHED, alive.WARM, alive.COLD, 0.25, MEGABYTES),
    Aim("one cold run: runner, engine, records", cold.KEY, cold.RUN, cold.PLAIN, 2.2),
    Aim("`nbbg run x.ipynb` to the prompt", launching.KEY, launching.RUN, launching.NOTHING, 6),
    Aim("200 cells with 50 MB of outputs", outputs.MANY, outputs.NBBG, outputs.REFERENCE, 2),
    Aim(
        "`nbbg status` into a pipe, 1,000 runs",
        *(reading.key(1_000), reading.STATUS, reading.NOTHING),
        5,
    ),
    Aim(
        "`nbbg status` into a pipe, 1,000,000 runs",
        *(reading.key(reading.MILLION), reading.STATUS, reading.NOTHING),
        5,
    ),
    Aim(
        "`nbbg status` on a terminal, 1,000 runs",
        *(reading.key(1_000), reading.SCREEN, reading.NOTHING),
        8,
    ),
    Aim(
        "`nbbg status` on a terminal, 1,000,000 runs",
        *(reading.key(reading.MILLION), reading.SCREEN, reading.NOTHING),
        8,
    ),
    Aim("1,000 runs of `pass`, two at a time", loops.NOTHING, loops.WARM, "", 15),
    Aim(
        "supervisor, 100 runs alive: memory",
        *(alive.KEY, alive.ALL, "", 16, _SUPERVISOR + alive.RSS),
        unit="MB",
    ),
    Aim(
        "supervisor, 100 runs alive: CPU",
        *(alive.KEY, alive.ALL, "", 0.1, _SUPERVISOR + alive.SHARE),
        unit="% of a core",
    ),
)


def tell(kept: Kept) -> str:
    """The aims, what was measured, and whether that is enough."""
    rows = []
    for aim in ALL:
        found = aim.found(kept)
        verdict = "not measured" if found is None else "yes" if aim.is_met(found) else "**no**"
        rows.append((aim.work, aim.wanted, tables.spread(found, times=True), verdict))
    return tables.markdown(("work", "aim", "measured", "met"), rows)


def draw(kept: Kept) -> Drawing:
    """Each aim as how far what was measured lies from it."""
    return Drawing("aims", lambda: _drawn(kept))


_BEHIND = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}


def _drawn(kept: Kept) -> Figure | None:
    seen = [(aim, found) for aim in reversed(ALL) if (found := aim.found(kept))]
    if not seen:
        return None
    figure, (axes,) = figure_of("Does nbbg meet its aims?", 0.32 * len(seen) + 1.2, [1.0])
    for at, (aim, found) in enumerate(seen):
        low, value, high = (
            _used(aim, each) for each in sorted((found.low, found.value, found.high))
        )
        met = aim.is_met(found)
        colour = OURS if met else THEIRS
        axes.plot([low, high], [at, at], color=colour, linewidth=2)
        axes.plot([value], [at], "o" if met else "D", color=colour, markersize=6)
        sign = "\N{GREATER-THAN OR EQUAL TO}" if aim.at_least else "\N{LESS-THAN OR EQUAL TO}"
        said = f"{tables.digits(found.value)}, aim {sign} {aim.limit:g}{'' if met else ': missed'}"
        axes.text(
            max(low, high) * 1.08, at, said, va="center", fontsize=9, color=colour, bbox=_BEHIND
        )
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(range(len(seen)), [aim.work.replace("`", "") for aim, _ in seen], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xscale("log", base=2)
    ends = [_used(aim, found.value) for aim, found in seen]
    axes.set_xlim(min(*ends, 0.5) / 1.3, max(*ends, 1.0) * 6)
    ticks = [2.0**power for power in range(-4, 6) if min(*ends, 0.5) / 1.3 <= 2.0**power]
    axes.set_xticks([each for each in ticks if each <= max(*ends, 1.0) * 2])
    axes.set_xticklabels([f"{each:g}" for each in axes.get_xticks()])
    axes.minorticks_off()
    axes.grid(axis="x", color=PALE, linewidth=0.3, alpha=0.5)
    axes.set_xlabel("measured, in times of the aim, logarithmic; left of 1: met")
    return figure


def _used(aim: Aim, value: float) -> float:
    """How much of its limit a figure uses up."""
    return aim.limit / value if aim.at_least else value / aim.limit
