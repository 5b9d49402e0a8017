"""`nbbg run --dry-run`: the plan as a table; nothing is created."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbbg import model
from nbbg.cli import output, table
from nbbg.notebook import userfiles
from nbbg.ops.launch import preview

if TYPE_CHECKING:
    from nbbg.ops.launch import Request
    from nbbg.ops.planning import Plan
    from nbbg.ops.project import Project

MOST = 200  # rows of a table; JSON has all
HEAD = ("arm", "notebook", "parameters", "number", "seed", "now", "output")
WIDEST = 60  # characters of the parameters
START = "to start"


def show(where: Project, request: Request, *, as_json: bool) -> int:
    """Print what the request would run."""
    found = preview(where, request)
    plan = found.plan
    for note in found.notes:
        output.say(note)
    rows = _rows(plan)
    if as_json:
        output.document({"runs": rows, "arms": len(plan.arms), "jobs": found.jobs})
        return 0
    table.show(HEAD, [_cells(row) for row in rows[:MOST]], numbers=("number", "seed"))
    if rows[MOST:]:
        print(f"and {len(rows) - MOST} more: --json has all")
    print(f"{_sum(plan, rows)}; {found.jobs} at a time")
    return 0


def _sum(plan: Plan, rows: list[dict[str, Any]]) -> str:
    done = sum(row["now"] == model.Succeeded.word for row in rows)
    others = len(rows) - len(plan.new) - done
    arms, runs = _counted(len(plan.arms), "arm"), _counted(len(rows), "run")
    more = f", {others} in other states" if others else ""
    return f"{arms}, {runs}: {len(plan.new)} to start, {done} done{more}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _rows(plan: Plan) -> list[dict[str, Any]]:
    order = {name: position for position, name in enumerate(plan.arms)}
    old = [_row(run.arm, run.number, run.id, run.state.word) for run in plan.covered]
    new = [_row(plan.arms[run.arm], run.number, run.id, START) for run in plan.new]
    rows = [*old, *new]
    return sorted(rows, key=lambda row: (row["number"], order.get(row["arm"], len(order))))


def _row(arm: model.Arm, number: int, run: int, now: str) -> dict[str, Any]:
    return {
        "arm": arm.name,
        "notebook": arm.notebook,
        "params": dict(arm.params),
        "number": number,
        "seed": arm.seed + number,
        "now": now,
        "output": None if arm.log_only else arm.output_of(number, run),
    }


def _cells(row: dict[str, Any]) -> list[str]:
    params = ", ".join(f"{name}={json.dumps(value)}" for name, value in row["params"].items())
    return [
        row["arm"],
        row["notebook"],
        table.one_line(params, WIDEST),
        str(row["number"]),
        str(row["seed"]),
        row["now"],
        _shown(row["output"]),
    ]


def _shown(path: str | None) -> str:
    from pathlib import Path

    return userfiles.shown(Path(path)) if path else "a log only"
