"""The simulated body: what is drawn is what comes out, and districts are where they should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.ct_to_pet.districts import LABELS
from trainers.evaluation.ct_to_pet import on_grid
from trainers.simulation.whole_body import COVERAGES, SimulatedBody, draw_body, simulate
from trainers.simulation.whole_body_anatomy import TISSUES, Body, Tube, anatomy, ellipsoid


@pytest.fixture(scope="module")
def drawn() -> Body:
    """Shoulders to thighs, without a scanner's noise and with one lesion in the thigh."""
    body = draw_body(np.random.default_rng(11), "skull base to thigh")
    lesion = (0.045 * body.height, 0.0, 0.42 * body.height, 20.0)
    return replace(body, arms="away", ct_noise_hu=0.0, pet_noise=0.0, lesions=(lesion,))


@pytest.fixture(scope="module")
def body(drawn: Body) -> SimulatedBody:
    return simulate(drawn)


def test_same_numbers_same_body() -> None:
    one, other = (draw_body(np.random.default_rng(5), "head and neck") for _ in range(2))
    assert one == other
    assert np.array_equal(simulate(one).pair.ct.voxels, simulate(other).pair.ct.voxels)
    assert draw_body(np.random.default_rng(6)) != one


def test_coverage_is_scanned(drawn: Body, body: SimulatedBody) -> None:
    low, high = COVERAGES["skull base to thigh"]
    ct = body.pair.ct
    assert ct.affine[2, 3] == pytest.approx(low * drawn.height)
    assert len(ct.voxels) * 4 == pytest.approx((high - low) * drawn.height, abs=4)
    pet = body.pair.suv
    assert pet.spacing_mm == pytest.approx((4, 4, 4))
    corner = (pet.affine @ [0, 0, 0, 1])[:3] - (ct.affine @ [0, 0, 0, 1])[:3]
    assert corner == pytest.approx([1, 1, 0]), "a PET voxel lies over two by two of the CT's"


def test_districts_follow_one_another(body: SimulatedBody) -> None:
    middles = {
        name: np.flatnonzero((body.districts == label).any(axis=(1, 2))).mean()
        for name, label in LABELS.items()
        if (body.districts == label).any()
    }
    assert middles["legs"] < middles["trunk"]
    assert "arms" not in middles
    assert not (body.districts[body.pair.ct.voxels < -985] == LABELS["legs"]).any()


def test_uptake_is_that_of_the_tissue(drawn: Body, body: SimulatedBody) -> None:
    h = drawn.height
    liver = on_grid(body.pair.suv, body.pair.ct, 1)
    place = np.linalg.inv(body.pair.ct.affine) @ [-0.04 * h, 0.0, 0.635 * h, 1.0]
    z, y, x = place[:3].round().astype(int)
    assert body.pair.ct.voxels[z, y, x] == TISSUES["liver"].hu
    wanted = TISSUES["liver"].suv * drawn.uptake["liver"]
    assert liver[z, y, x] == pytest.approx(wanted, rel=0.05)


def test_lesions_are_hot_and_soft(drawn: Body, body: SimulatedBody) -> None:
    assert body.pair.lesions is not None
    inside = body.pair.lesions.voxels > 0
    assert inside.any()
    assert set(np.unique(body.pair.ct.voxels[inside])) == {TISSUES["lesion"].hu}
    hot = on_grid(body.pair.suv, body.pair.ct, 1)
    assert hot[inside].mean() > 0.5 * TISSUES["lesion"].suv * drawn.uptake["lesion"]
    sphere = 4 / 3 * np.pi * 20**3
    assert inside.sum() * 16 < 1.05 * sphere


def test_noise_is_as_much_as_was_drawn(drawn: Body, body: SimulatedBody) -> None:
    noisy = simulate(replace(drawn, ct_noise_hu=12.0)).pair.ct.voxels
    assert (noisy - body.pair.ct.voxels).std() == pytest.approx(12, rel=0.02)


def test_tubes_taper_and_ellipsoids_close() -> None:
    tube = Tube("fat", (0.0, 100.0), ((0, 0), (10, 20)), ((40, 30), (20, 10)))
    assert tube.at(50.0) == (5, 10, 30, 20)
    assert tube.grown(-5, "trunk muscle").at(0.0) == (0, 0, 35, 25)
    ball = ellipsoid("lesion", (1, 2, 3), (4, 5, 6))
    assert ball.z == (-3.0, 9.0)
    assert ball.at(3.0) == (1, 2, 4, 5)
    assert ball.at(9.0)[2] == pytest.approx(0)


def test_every_tube_is_of_a_tissue_and_a_district() -> None:
    for arms in ("down", "up", "away"):
        tubes = anatomy(replace(draw_body(np.random.default_rng(0), "whole"), arms=arms))
        assert {tube.tissue for tube in tubes} <= set(TISSUES)
        assert {tube.district for tube in tubes} <= {"", *LABELS}
        assert any(tube.district == "arms" for tube in tubes) == (arms != "away")
