"""Body masks of simulated bodies, tables and limbs."""

from __future__ import annotations

import numpy as np

from pipelines.ct_to_pet.body import body_mask
from tests.pipelines.ct_to_pet.bodies import simulated


def test_body_is_found_without_the_air_around() -> None:
    hu, truth, _ = simulated(1, "whole", "away")
    found, wanted = body_mask(hu), truth > 0
    both = float((found & wanted).sum())
    assert 2 * both / float(found.sum() + wanted.sum()) > 0.97


def test_table_is_no_body() -> None:
    hu = np.full((6, 60, 60), -1000.0, np.float32)
    hu[:, 10:35, 15:45] = 30.0
    hu[:, 20:25, 25:30] = -800.0  # lung: inside
    hu[:, 45:47, 5:55] = -100.0  # a table top, 8 mm thick
    body = body_mask(hu)
    assert body[:, 20:25, 25:30].all()
    assert not body[:, 45:].any()


def test_limbs_beside_the_trunk_are_kept_and_crumbs_are_not() -> None:
    hu = np.full((10, 60, 80), -1000.0, np.float32)
    hu[:, 10:40, 30:60] = 30.0
    hu[:, 20:27, 5:12] = 30.0  # an arm, less than a fiftieth of the air
    hu[4, 50:56, 70:76] = 30.0  # an electrode, as wide as the arm
    body = body_mask(hu)
    assert body[:, 20:27, 5:12].all()
    assert not body[:, 45:].any()


def test_air_holds_no_body() -> None:
    assert not body_mask(np.full((3, 20, 20), -1000.0, np.float32)).any()


def test_thin_bodies_are_bodies_where_nothing_is_thick() -> None:
    hu = np.full((3, 20, 20), -1000.0, np.float32)
    hu[:, 8:10, 5:15] = 30.0  # a hand, 8 mm thick
    assert body_mask(hu)[:, 8:10, 5:15].all()
