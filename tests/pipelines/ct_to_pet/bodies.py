"""A simulated body and real trunks, on cubes, for the tests of districts and body."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipelines.ct_to_pet.grid import Cubes, WorkingGrid
from trainers.readers.ct_pet import resampled_labels
from trainers.whole_body import Body, SimulatedBody, draw_body, simulate


@lru_cache(maxsize=4)
def simulated(seed: int, coverage: str, arms: str = "") -> tuple[Cubes, np.ndarray, SimulatedBody]:
    """Mean HU of cubes, true districts of cubes, and the body."""
    drawn = draw_body(np.random.default_rng(seed), coverage)
    if arms:
        values = {**drawn.__dict__, "arms": arms}
        drawn = Body(**values)
    body = simulate(drawn)
    ct = body.pair.ct
    grid = WorkingGrid.of(ct.voxels.shape, ct.affine)
    return grid.averaged(ct.voxels), resampled_labels(body.districts, ct), body
