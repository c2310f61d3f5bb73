"""Early stopping: which report was the best, and when to give up hope of a better one."""

from __future__ import annotations

import math
from typing import Any


class EarlyStopping:
    """Follows the score of a run.

    Args:
        patience: reports without a better score before the run should stop; 0: never.
        higher_is_better: false for an error.
    """

    def __init__(self, patience: int, *, higher_is_better: bool = False) -> None:
        self.patience = patience
        self.higher_is_better = higher_is_better
        self.best = math.nan
        self.waited = 0

    @property
    def over(self) -> bool:
        """Whether the run should stop."""
        return 0 < self.patience <= self.waited

    def better(self, score: float) -> bool:
        """Note a score; true when it is the best so far. Not a number never is."""
        best = math.isnan(self.best)
        if not best:
            best = score > self.best if self.higher_is_better else score < self.best
        if best and not math.isnan(score):
            self.best, self.waited = score, 0
            return True
        self.waited += 1
        return False

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best, self.waited = float(state["best"]), int(state["waited"])
