"""The runs that did not succeed: one card for all that ended in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model, screen
from nbbg.errors import NbbgError
from nbbg.ops import failures
from nbbg.ops.report.content import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbbg.index import Index

CARDS = 20
_NAMED = 12  # runs of a card
_LONGEST = 20_000  # characters of a part
_CARDLESS = (model.Succeeded.word, model.Stopped.word)


def cards(index: Index, runs: Iterable[model.Run]) -> tuple[list[Failure], list[str]]:
    """The cards, and a sentence where there are more ways to fail than are told."""
    alike: dict[tuple[str, str, str], list[model.Run]] = {}
    for run in runs:
        if run.ended and run.state.word not in _CARDLESS:
            alike.setdefault((run.arm.notebook, run.state.word, run.state.reason), []).append(run)
    most = sorted(alike.values(), key=len, reverse=True)
    left = most[CARDS:]
    more = f"{sum(map(len, left))} runs more failed in {len(left)} other ways: nbbg status"
    return [_card(index, those) for those in most[:CARDS]], [more] if left else []


def _card(index: Index, runs: Sequence[model.Run]) -> Failure:
    """The card of the newest of them."""
    run = runs[-1]
    try:
        parts = _parts(failures.card(index, run))
    except (
        OSError,
        ValueError,
        LookupError,
        NbbgError,
    ) as error:  # the rest is told
        parts = [("its records can't be read", str(error))]
    where = ", ".join(dict.fromkeys(each.arm.name for each in runs[:_NAMED]))
    reason = f"{run.state.word}: {run.state.reason}".rstrip(": ")
    return Failure(
        f"{_runs(runs)} of {where}", reason, [(name, _cut(text)) for name, text in parts if text]
    )


def _parts(card: failures.Card) -> list[tuple[str, str]]:
    return [
        (f"cell {card.ordinal}", card.source),
        ("it stood at", card.stack),
        ("traceback", "" if card.stack else card.traceback),
        ("last lines", "" if card.traceback else "\n".join(card.last_lines)),
        ("what helps", card.install),
    ]


def _runs(runs: Sequence[model.Run]) -> str:
    named = ", ".join(str(run.id) for run in runs[:_NAMED])
    more = f" and {len(runs) - _NAMED} more" if runs[_NAMED:] else ""
    return f"{'runs' if runs[1:] else 'run'} {named}{more}"


def _cut(text: str) -> str:
    text = screen.without_escapes(text)
    return text if len(text) <= _LONGEST else f"(its end)\n{text[-_LONGEST:]}"
