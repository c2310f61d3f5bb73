from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from dicom_profiles.errors import SeriesError
from dicom_profiles.reading import open_source, read_series
from dicom_profiles.sources.projection import SourceProjection, value_range
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.sources.source import all_instance_uids, reference_of
from tests.synthetic import write_ct_dataset, write_ct_series

ROWS, COLUMNS = 40, 24
PIXELS = np.arange(ROWS * COLUMNS, dtype="<u2").reshape(ROWS, COLUMNS)


def write_mammogram(path: Path, **attributes: Any) -> Path:
    """A mammogram of 12 bits whose stored values count up."""
    ds = write_ct_dataset(np.zeros((ROWS, COLUMNS), np.float32))
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        del ds[keyword]
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.Modality, ds.ImagerPixelSpacing = "MG", ["0.1", "0.2"]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept = "1", "0"
    ds.PixelData = PIXELS.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)
    return path


def test_a_mammogram_is_a_stack_of_one(tmp_path: Path) -> None:
    source = open_source([write_mammogram(tmp_path / "a.dcm")])
    assert isinstance(source, SourceProjection)
    assert (source.shape, len(source), source.unit) == ((1, ROWS, COLUMNS), 1, "1")
    assert np.linalg.norm(source.affine[:3, :3], axis=0).tolist() == [1.0, 0.1, 0.2]
    assert source.affine[:3, 3].tolist() == [0, 0, 0]
    (image,) = source.slices()
    assert (image == PIXELS).all()
    assert (source.load().voxels[0] == PIXELS).all()
    (facts,) = source.facts()
    assert facts.padding is None
    assert reference_of({"LE": source}) is source
    assert all_instance_uids({"LE": source}) == source.sop_instance_uids


def test_monochrome1_is_turned_over_and_padding_stays_dark(tmp_path: Path) -> None:
    path = write_mammogram(
        tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=7
    )
    (image,) = open_source([path]).slices()
    wanted = 4095.0 - PIXELS.astype(np.float32)
    wanted[PIXELS == 7] = 0.0
    assert (image == wanted).all()


@pytest.mark.parametrize(
    ("bits", "signed", "slope", "wanted"),
    [(12, 0, 1.0, (0, 4095)), (14, 0, 1.0, (0, 16383)), (12, 1, 2.0, (-4096, 4094))],
)
def test_the_range_of_values(
    bits: int, signed: int, slope: float, wanted: tuple[float, float]
) -> None:
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation = bits, signed
    ds.RescaleSlope, ds.RescaleIntercept = slope, 0
    assert value_range(ds) == wanted


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"ImagerPixelSpacing": None}, "ImagerPixelSpacing"),
        ({"ImagerPixelSpacing": ["0", "0.1"]}, "above 0 mm"),
        ({"NumberOfFrames": 3}, "one frame"),
    ],
)
def test_what_is_no_projection_is_refused(
    tmp_path: Path, attributes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SeriesError, match=words):
        open_source([write_mammogram(tmp_path / "a.dcm", **attributes)])


def test_two_mammograms_are_not_one_projection(tmp_path: Path) -> None:
    paths = [write_mammogram(tmp_path / f"{name}.dcm") for name in "ab"]
    with pytest.raises(SeriesError, match="one image, got 2"):
        open_source(paths)


def test_slices_are_a_series(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=3)
    assert isinstance(open_source(paths), SourceSeries)


def test_real_mammograms_are_read(shared_data: Path) -> None:
    for path in sorted((shared_data / "mg").rglob("*.dcm"))[:3]:
        volume = read_series(path)
        assert volume.voxels.shape[0] == 1
        assert np.isfinite(volume.voxels).all()
