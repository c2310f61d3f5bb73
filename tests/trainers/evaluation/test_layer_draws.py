from __future__ import annotations

import numpy as np
import pytest

from tests.trainers.metrics.samples import UNIT, textured
from trainers.evaluation.layer_draws import LayerDraws, _halves, averaged, draw_layer, score
from trainers.evaluation.layer_scores import FRECHET, KL_FINE, UNITS, Signature, signature
from trainers.metrics.resampling import Resampling

PLAN = Resampling(repeats=20, seed=3)


def images(n: int, patients: int, seed: int, roughness: float = 0.1) -> Signature:
    names = [f"P{i % patients}" for i in range(n)]
    return signature(textured(n, 32, seed, roughness), names, UNIT)


@pytest.fixture(scope="module")
def real() -> Signature:
    return images(20, 4, seed=1)


def test_halves_share_no_patient(real: Signature) -> None:
    for seed in range(5):
        one, other = _halves(real, np.random.default_rng(seed))
        assert set(real.patients[one]) & set(real.patients[other]) == set()
        assert sorted([*one, *other]) == list(range(20))


def test_one_patient_is_halved_by_slice() -> None:
    one, other = _halves(images(7, 1, 0), np.random.default_rng(0))
    assert sorted([*one, *other]) == list(range(7))
    assert (len(one), len(other)) == (3, 4)


def test_real_against_real_has_a_ratio_near_one_and_noise_has_not(real: Signature) -> None:
    alike = draw_layer(1, real, images(20, 4, seed=2), PLAN)
    noisy = draw_layer(1, real, images(20, 4, seed=2, roughness=0.2), PLAN)
    assert alike is not None
    assert noisy is not None
    assert 0.6 < score([alike], FRECHET).ratio < 1.7
    assert score([noisy], FRECHET).ratio > 5
    assert score([noisy], KL_FINE).ratio > 1.7
    assert set(alike.model) == set(alike.baseline) == set(UNITS)


def test_all_sets_of_a_draw_have_one_size(real: Signature) -> None:
    few = draw_layer(1, real, images(6, 2, seed=2), PLAN)
    assert few is not None
    assert few.n == 6
    assert (few.real_patients, len(few.model[FRECHET])) == (4, 20)
    assert draw_layer(1, real, images(1, 1, seed=2), PLAN) is None


def test_draws_repeat_with_the_seed(real: Signature) -> None:
    made = images(8, 2, seed=5)
    first, second = (draw_layer(2, real, made, PLAN) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.model[FRECHET], second.model[FRECHET])
    other = draw_layer(2, real, made, Resampling(repeats=20, seed=4))
    assert other is not None
    assert (first.model[FRECHET] != other.model[FRECHET]).any()


def test_averages_over_layers_come_before_the_ratio(real: Signature) -> None:
    found = [draw_layer(k, real, images(8, 2, seed=k), PLAN) for k in (1, 2)]
    layers = [layer for layer in found if layer is not None]
    both = score(layers, FRECHET)
    single = [score([layer], FRECHET) for layer in layers]
    assert both.model == pytest.approx(np.mean([one.model for one in single]))
    assert both.ratio == pytest.approx(both.model / both.baseline)
    assert both.model_spread > 0


def test_layers_whose_halves_share_a_patient_do_not_count_in_the_average() -> None:
    none = {FRECHET: np.zeros(20)}
    two, one, three = (LayerDraws(k, 5, n, none, none) for k, n in ((1, 2), (2, 1), (3, 3)))
    assert averaged([two, one, three]) == [two, three]
    assert averaged([one]) == [one]
