"""A simulated body and real trunks, on cubes, for the tests of districts and body."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from pipelines.ct_to_pet.grid import Cubes, WorkingGrid
from trainers.readers.ct_pet import resampled_labels
from trainers.simulation.whole_body import SimulatedBody, draw_body, simulate


@lru_cache(maxsize=4)
def simulated(seed: int, coverage: str, arms: str = "") -> tuple[Cubes, np.ndarray, SimulatedBody]:
    """Mean HU of cubes, true districts of cubes, and the body."""
    drawn = draw_body(np.random.default_rng(seed), coverage)
    body = simulate(replace(drawn, arms=arms) if arms else drawn)
    ct = body.pair.ct
    grid = WorkingGrid.of(ct.voxels.shape, ct.affine)
    return grid.averaged(ct.voxels), resampled_labels(body.districts, ct), body
