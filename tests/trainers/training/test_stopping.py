from __future__ import annotations

import math

import pytest

from trainers.training.stopping import EarlyStopping


@pytest.mark.parametrize(
    ("higher", "scores", "best", "over"),
    [
        (False, [3.0, 2.0, 2.5, 2.0], 2.0, True),  # an equal score is no better one
        (False, [3.0, 2.0, 2.5, 1.9], 1.9, False),
        (True, [3.0, 2.0, 2.5], 3.0, True),
        (True, [3.0, 2.0, 3.5], 3.5, False),
        (False, [math.nan, 3.0, math.nan, math.nan], 3.0, True),
    ],
)
def test_it_ends_after_two_reports_without_a_better_score(
    higher: bool, scores: list[float], best: float, over: bool
) -> None:
    stopping = EarlyStopping(2, higher_is_better=higher)
    for score in scores:
        stopping.better(score)
    assert (stopping.best, stopping.over) == (best, over)
    again = EarlyStopping(2, higher_is_better=higher)
    again.load_state_dict(stopping.state_dict())
    assert (again.best, again.over) == (best, over)


def test_without_patience_it_never_ends() -> None:
    stopping = EarlyStopping(0)
    for _ in range(50):
        stopping.better(1.0)
    assert not stopping.over
