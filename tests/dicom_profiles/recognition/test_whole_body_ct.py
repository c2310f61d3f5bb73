"""Which CT is one of the whole body: by its length; words only help."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.recognition.whole_body_ct import recognise_whole_body_ct
from tests.synthetic import write_ct_series


def headers(folder: Path, length_mm: float, **changes: object) -> list[Dataset]:
    """A CT of so many slices 3 mm apart, spread over a length."""
    found: list[Dataset] = []
    paths = write_ct_series(folder, slices=5)
    for index, path in enumerate(paths):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        x, y, _ = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, index * length_mm / (len(paths) - 1)]
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        found.append(ds)
    return found


@pytest.mark.parametrize(
    ("length", "description", "kind", "least"),
    [
        (1050, "CT 3.0", "whole_body_ct", 0.9),
        (1050, "WB CT AC", "whole_body_ct", 1.0),
        (700, "Whole body 3.0", "whole_body_ct", 0.8),
        (700, "Thorax abdomen", "ct", 0.0),
        (850, "CT 3.0", "whole_body_ct", 0.9),
        (849, "CT 3.0", "ct", 0.4),
        (550, "Whole body 3.0", "whole_body_ct", 0.8),
        (549, "Whole body 3.0", "ct", 0.0),
        (700, "CTAC 3.0", "whole_body_ct", 0.6),
        (400, "Whole body planning", "ct", 0.0),
    ],
)
def test_length_decides(
    tmp_path: Path, length: float, description: str, kind: str, least: float
) -> None:
    found = recognise_whole_body_ct(
        headers(tmp_path, length, SeriesDescription=description, ProtocolName="p")
    )
    assert found.kind == kind
    assert found.confidence >= least
    assert found.reasons


def test_a_part_of_a_whole_body_scan_is_recognised_by_the_part_examined(tmp_path: Path) -> None:
    found = recognise_whole_body_ct(headers(tmp_path, 190, BodyPartExamined="WHOLEBODY"))
    assert (found.kind, found.confidence) == ("whole_body_ct", 0.8)


def test_others_are_not_taken_for_it(tmp_path: Path) -> None:
    base = tmp_path / "a"
    scout = headers(base, 1050, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert recognise_whole_body_ct(scout).kind == "localizer"
    mr = headers(tmp_path / "b", 1050, Modality="MR")
    assert recognise_whole_body_ct(mr).kind == "other"
    made = headers(tmp_path / "c", 1050, SyntheticData="YES")
    assert recognise_whole_body_ct(made).kind == "synthetic"
    made = headers(tmp_path / "d", 1050)
    made[3].SyntheticData = "YES"
    assert recognise_whole_body_ct(made).kind == "synthetic"
    made[3].SyntheticData, made[4].ImageType = "NO", ["DERIVED", "SECONDARY", "AXIAL"]
    assert recognise_whole_body_ct(made).kind == "reformat"
    assert recognise_whole_body_ct([]).kind == "other"


def test_real_chest_is_no_whole_body(shared_data: Path) -> None:
    folder = shared_data / "ct_chest_philips_lidc0314"
    found = [pydicom.dcmread(p, stop_before_pixels=True) for p in sorted(folder.rglob("*.dcm"))]
    assert recognise_whole_body_ct(found).kind == "ct"
