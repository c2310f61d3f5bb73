"""The geometric segmenter on bodies whose districts are known, and on real CTs of one region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_profiles.reading import read_series
from pipelines.ct_to_pet.body import body_mask
from pipelines.ct_to_pet.districts import LABELS, shares
from pipelines.ct_to_pet.geometric_districts import GeometricSegmenter
from pipelines.ct_to_pet.grid import WorkingGrid
from tests.pipelines.ct_to_pet.bodies import simulated
from trainers.readers.ct_pet import districts_of
from trainers.readers.sts_pet import read_sts_pet


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / max(1.0, float(one.sum() + other.sum()))


@pytest.mark.parametrize(
    ("seed", "coverage", "arms", "wanted"),
    [
        (1, "whole", "away", {"legs": 0.95, "trunk": 0.95, "head": 0.9}),
        (2, "skull base to thigh", "up", {"legs": 0.85, "trunk": 0.93, "arms": 0.7}),
    ],
)
def test_simulated_bodies(seed: int, coverage: str, arms: str, wanted: dict[str, float]) -> None:
    hu, truth, _ = simulated(seed, coverage, arms)
    body = body_mask(hu)
    found = GeometricSegmenter().districts(hu, body)
    assert np.array_equal(found > 0, body)
    for name, least in wanted.items():
        label = LABELS[name]
        assert dice(found == label, (truth == label) & body) >= least, name


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A body of discs, (z, y, x) HU of cubes of 4 mm, and the label of each of its cubes."""
    hu, truth = np.full((90, 64, 150), -1000.0, np.float32), np.zeros((90, 64, 150), np.uint8)
    y, x = np.mgrid[:64, :150]

    def disc(
        slices: slice, place: int, radii: tuple[float, float], district: str, row: int = 32
    ) -> None:
        inside = ((y - row) / radii[0]) ** 2 + ((x - place) / radii[1]) ** 2 <= 1
        hu[slices, inside], truth[slices, inside] = 40, LABELS[district]

    def bone(slices: slice, place: int, radii: tuple[float, float]) -> None:
        away = np.hypot(y - 32, x - place)
        hu[slices, (radii[0] <= away) & (away <= radii[1])] = 900

    legs, hands, trunk, neck, head = (
        slice(0, 40), slice(30, 36), slice(40, 72), slice(72, 76), slice(76, 90),
    )  # fmt: skip
    for place in (52, 98):
        disc(legs, place, (15, 15), "legs")
        bone(legs, place, (0, 4))
    disc(hands, 75, (4, 4), "legs")  # between the legs: no hand
    for place in (26, 124):
        disc(hands, place, (6, 6), "arms")
        disc(trunk, place, (9, 9), "arms")
        bone(trunk, place, (0, 3))
    disc(trunk, 75, (22, 37), "trunk")
    disc(trunk, 75, (3, 6), "trunk", row=60)  # apart, but not at its side: no arm
    bone(trunk, 75, (0, 5))
    disc(neck, 75, (15, 15), "head")
    disc(head, 75, (19, 19), "head")
    bone(head, 75, (16, 18))
    return hu, truth


@pytest.mark.parametrize("aside", [-12, 14])
def test_every_part_of_a_drawn_body_is_told(aside: int) -> None:
    hu, truth = (np.roll(one, aside, axis=2) for one in drawn())
    found = GeometricSegmenter().districts(hu, truth > 0)
    wrong = {name: int((found != truth)[truth == label].sum()) for name, label in LABELS.items()}
    assert wrong == dict.fromkeys(LABELS, 0)
    for below, above in ((0, 40), (40, 72), (20, 60), (72, 90)):  # a CT of a part of it
        part = GeometricSegmenter().districts(hu[below:above], truth[below:above] > 0)
        assert np.array_equal(part, truth[below:above]), (below, above)


def test_nothing_is_no_body() -> None:
    air = np.full((4, 20, 20), -1000.0, np.float32)
    body = body_mask(air)
    assert not body.any()
    assert shares(GeometricSegmenter().districts(air, body)) == dict.fromkeys(LABELS, 0.0)


@pytest.mark.parametrize("name", ["ct_chest_philips_lidc0314", "ct_liver_ge_1004"])
def test_real_trunks_are_trunks(shared_data: Path, name: str) -> None:
    ct = read_series(shared_data / name)
    hu = WorkingGrid.of(ct.voxels.shape, ct.affine).averaged(ct.voxels)
    found = shares(GeometricSegmenter().districts(hu, body_mask(hu)))
    assert found["trunk"] > 0.9


def test_real_thighs_are_legs(shared_data: Path) -> None:
    (pair,) = read_sts_pet(shared_data / "sts_ct_mrt1_pet", ["STS_004"])
    assert shares(districts_of(pair.ct))["legs"] > 0.9
