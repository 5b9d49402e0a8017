"""What is fixed before the first run of a batch that goes on until its arms are told apart."""

from __future__ import annotations

from nbbg.classes import dataclass


@dataclass(frozen=True)
class Until:
    """By what the arms are compared, and after how many runs it is looked."""

    metric: str
    arms: tuple[str, ...]
    looks: tuple[int, ...]  # runs of each arm at each look; the last one is the most
    first_seed: int  # of the first run of each arm; each run has the next one
    alpha: float  # the chance of any false claim
    lower_is_better: bool = False
    baseline: str = ""  # only pairs with this arm are tested; empty: all

    @property
    def max_runs(self) -> int:
        """The most runs of each arm."""
        return self.looks[-1]

    def __str__(self) -> str:
        less = ", lower is better" if self.lower_is_better else ""
        looks = ", ".join(map(str, self.looks))
        return f"until decided by {self.metric}{less}: looked at after {looks} runs of each arm"
