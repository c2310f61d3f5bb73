from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.errors import InputError
from pipelines.in_memory import translated


def test_slices_and_companions_are_gathered_on_the_grid_that_is_named() -> None:
    """Held against what the node streams: a scanner of whole bodies has companions."""
    affine = np.array([[0, 0, 4.0, -30], [0, 4.0, 0, -40], [4.0, 0, 0, 7], [0, 0, 0, 1]])
    down, across = np.mgrid[0:48, 0:48]
    body = np.where((down - 24) ** 2 + (across - 24) ** 2 < 18**2, 30.0, -1000.0)
    ct = Volume(np.repeat(body[None], 24, axis=0).astype(np.float32), affine, "HU", "1.2.3")
    scanner = load("ct_to_pet", device="cpu", threads=1)
    result = translated(scanner, {"CT": ct}, ct, None)
    for made in (result.volume, *result.companions.values()):
        assert made.voxels.shape == ct.voxels.shape
        assert made.frame_of_reference == "1.2.3"
        np.testing.assert_array_equal(made.affine, affine)
    assert result.volume.unit == catalog.card("ct_to_pet").output_unit
    assert set(result.companions) == {"districts"}
    assert result.record.slices == 24


def test_what_the_scanner_refuses_is_refused() -> None:
    def refuse(*_: Any) -> None:
        raise InputError("not this")

    ct = Volume(np.zeros((1, 2, 2), np.float32), np.eye(4))
    with pytest.raises(InputError, match="not this"):
        translated(SimpleNamespace(translate=refuse), {"CT": ct}, ct, None)
