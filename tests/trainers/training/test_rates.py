from __future__ import annotations

import pytest

from trainers.training.rates import flat_then_linear, warm_cosine


def test_a_cosine_rises_then_falls_to_a_hundredth() -> None:
    rate = warm_cosine(1e-3, 10, 100)
    rates = [rate(step) for step in range(101)]
    assert rates[0] < rates[9] == pytest.approx(1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(1e-5)


def test_a_line_stays_then_falls_to_nothing() -> None:
    rate = flat_then_linear(2e-4, 100, 200)
    assert rate(0) == rate(100) == 2e-4
    assert rate(150) == pytest.approx(1e-4)
    assert rate(199) > rate(200) == 0
