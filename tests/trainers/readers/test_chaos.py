from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from tests.dual_echo import write_dual_echo
from tests.synthetic import write_ct_series
from trainers.readers.chaos import on_grid, read_chaos


@pytest.fixture
def chaos(tmp_path: Path) -> Path:
    """Two patients in the published layout: one with MR, one with CT."""
    tmp_path = tmp_path / "CHAOS_Train_Sets"
    mr = tmp_path / "Train_Sets" / "MR" / "3"
    for key, folder in (("IP", "InPhase"), ("OOP", "OutPhase")):
        write_dual_echo(mr / "T1DUAL" / "DICOM_anon" / folder, (key,), slices=4, size=64)
    write_dual_echo(mr / "T2SPIR" / "DICOM_anon", ("IP",), slices=3, size=64)
    write_ct_series(tmp_path / "Train_Sets" / "CT" / "8" / "DICOM_anon", slices=4)
    return tmp_path


@pytest.mark.parametrize("above", [".", ".."])
def test_phases_t2_and_ct_are_found(chaos: Path, above: str) -> None:
    """Both archives, unpacked side by side, put a folder of their own around the sets."""
    mr, ct = read_chaos((chaos / above).resolve())
    assert list(mr.mr) == ["IP", "OOP", "T2"]
    assert mr.ct is None
    assert {image.shape for image in mr.mr.values()} == {(4, 64, 64)}
    assert (mr.pixel_mm, mr.slice_mm) == (1.5, 3.0)
    assert mr.mr["IP"].mean() > mr.mr["OOP"].mean()
    assert mr.mr["T2"][3].max() == 0  # the T2 has a slice less
    assert (ct.patient, dict(ct.mr)) == ("CT-8", {})
    assert ct.ct is not None


def test_a_volume_is_brought_to_another_grid() -> None:
    voxels = np.arange(4 * 6 * 6, dtype=np.float32).reshape(4, 6, 6)
    volume = Volume(voxels, np.eye(4), "1")
    moved = np.eye(4)
    moved[0, 3] = 1.0
    np.testing.assert_allclose(on_grid(volume, Volume(voxels, moved, "1"))[:3], voxels[1:])
