from __future__ import annotations

import numpy as np
import pytest

from tests.trainers.metrics.samples import UNIT, textured
from trainers.evaluation.layer_scores import (
    CORRELATION,
    FRECHET,
    INTERSECTION,
    KL_COARSE,
    KL_FINE,
    SPECTRUM,
    UNITS,
    distances,
    on_one_scale,
    signature,
)
from trainers.metrics.histogram import histogram_scores
from trainers.metrics.measurement import EVERY_VOXEL, ImageSet
from trainers.metrics.spectrum import spectral_correlation


def test_a_set_against_itself() -> None:
    images = textured(5)
    (one,) = on_one_scale(signature(images, ["P"] * 5, UNIT), [])
    found = distances(one, one)
    assert set(found) == set(UNITS)
    assert found[FRECHET] == pytest.approx(0, abs=1e-6)
    assert found[KL_FINE] == found[KL_COARSE] == 0
    assert found[CORRELATION] == pytest.approx(1)
    assert found[INTERSECTION] == images[0].size


def test_signatures_give_what_the_metrics_give() -> None:
    sets = [textured(4, seed=1), textured(4, seed=2, roughness=0.2)]
    real, made = on_one_scale(
        signature(sets[0], ["P"] * 4, UNIT), [signature(sets[1], ["Q"] * 4, UNIT)]
    )
    found = distances(real, made)
    first, second = (ImageSet(images, EVERY_VOXEL) for images in sets)
    wanted = histogram_scores(first, second, UNIT)
    assert found[KL_FINE] == pytest.approx(wanted["KL"].value)
    assert found[CORRELATION] == pytest.approx(wanted["histogram correlation"].value)
    assert found[INTERSECTION] == pytest.approx(wanted["histogram intersection"].value)
    assert found[SPECTRUM] == pytest.approx(
        spectral_correlation(first, second, UNIT).value, abs=1e-5
    )


def test_rows_keep_their_patients() -> None:
    chosen = signature(textured(3), ["A", "B", "C"], UNIT).rows(np.array([2, 0]))
    assert chosen.patients.tolist() == ["C", "A"]
    assert len(chosen) == len(chosen.features) == len(chosen.spectra) == 2
