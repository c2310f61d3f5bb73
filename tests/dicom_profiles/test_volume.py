from __future__ import annotations

import numpy as np
import pytest

from dicom_profiles.errors import GeometryError
from dicom_profiles.volume import Volume

VOXELS = np.zeros((2, 3, 4), dtype=np.float32)


def test_spacing_is_the_length_of_the_steps() -> None:
    affine = np.diag([2.5, 0.5, 0.75, 1.0])
    affine[:3, :3] = np.roll(affine[:3, :3], 1, axis=0)
    assert Volume(VOXELS, affine).spacing_mm == (2.5, 0.5, 0.75)


def test_wrong_shapes_and_units_are_refused() -> None:
    with pytest.raises(GeometryError, match="slices, rows, columns"):
        Volume(VOXELS[0], np.eye(4))
    with pytest.raises(GeometryError, match=r"\(4, 4\)"):
        Volume(VOXELS, np.eye(3))
    with pytest.raises(GeometryError, match="one of HU"):
        Volume(VOXELS, np.eye(4), unit="mm")
