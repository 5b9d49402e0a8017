"""What other files promise of runs holds of warm ones: their most telling tests, once more.

`NBBG_WARM=on scripts/test` does the same with all of them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import process
from tests import test_secrets, test_slots, test_stopping, test_survival

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.project import Project

pytestmark = pytest.mark.skipif(not process.LINUX, reason="forks are renamed by way of /proc")

EXAMPLES = Path(__file__).parents[1] / "examples"
TELLING: dict[str, Callable[[Project], None]] = {
    "ends": test_survival.test_each_way_to_end_is_told_apart,
    "killed": test_survival.test_an_engine_killed_in_a_cell_leaves_what_it_had_done,
    "supervisor": test_survival.test_a_supervisor_may_be_killed_at_any_instant,
    "lost": test_survival.test_everything_killed_is_lost_and_nothing_of_it_is_touched,
    "left": test_survival.test_what_a_lost_attempt_left_is_ended_before_the_next,
    "moved": test_survival.test_a_moved_project_loses_nothing,
    "stop": partial(test_stopping.test_stop_takes_the_whole_tree, engine="ipython"),
    "no runner": test_stopping.test_stop_takes_the_whole_tree_without_a_runner,
    "deaf": test_stopping.test_stop_ends_an_engine_that_hears_nothing,
    "halted": test_stopping.test_stop_wakes_a_runner_that_was_halted,
    "slot": partial(test_slots.test_the_engine_keeps_the_slot_of_a_killed_runner, engine="ipython"),
    "secrets": partial(test_secrets.test_no_file_of_a_run_holds_a_secret, engine="ipython"),
}


@pytest.mark.parametrize("name", TELLING)
def test_it_holds_of_warm_runs(project: Project, name: str) -> None:
    """The same test, with a template for every batch."""
    project.environment["NBBG_WARM"] = "on"
    TELLING[name](project)
    journals = project.root.parent.glob("**/.nbbg/batches/*/runs/*/*/cells.jsonl")
    assert any(b'"warm":true' in journal.read_bytes() for journal in journals)


def test_examples_give_the_same_warm(project: Project) -> None:
    """Each of them prints and shows what it does in a cold run."""
    names = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
    for warm in ("off", "on"):
        for name in names:
            (project.root / warm).mkdir(exist_ok=True)
            (project.root / warm / name).write_bytes((EXAMPLES / name).read_bytes())
            short = ("-p", f"{'rounds' if 'forest' in name else 'epochs'}=2", "--seed", "1")
            project.nbbg("run", f"{warm}/{name}", "--runs", "1", "--warm", warm, *short)
    project.nbbg("wait", *(f"b{number}" for number in range(1, 5)), timeout=110)
    shown = [_shown(project.executed(number)) for number in range(1, 5)]
    assert shown[:2] == shown[2:]
    assert "'image/png'" in str(shown[0])


def _shown(executed: dict[str, Any]) -> list[Any]:
    """The outputs but for progress bars, which tell the time."""
    every = [output for cell in executed["cells"] for output in cell.get("outputs", ())]
    return [output for output in every if output.get("name") != "stderr"]
