from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import JPEG2000, UID, CTImageStorage, JPEG2000Lossless, JPEGLSNearLossless

from dicom_profiles.dates import latest_date
from dicom_profiles.reading import open_series
from dicom_profiles.sources.series import SourceSeries
from pipelines import scope_checks
from pipelines.card import Range, Scope
from pipelines.scope_checks import Check
from tests.synthetic import write_ct_series


def scope(**wanted: Any) -> Scope:
    """A scope that checks nothing but what is named."""
    return Scope(modality="CT", sop_classes=(str(CTImageStorage),), **wanted)


def found(check: Check, folder: Path, wanted: Scope, **attributes: Any) -> list[str]:
    """What a check says of a phantom with these attributes."""
    return list(check(phantom(folder, **attributes), wanted))


def phantom(folder: Path, **attributes: Any) -> SourceSeries:
    """A series of 4 slices of 64 x 64, 3 mm apart."""
    attributes = {"spacing": (3.0, 0.9, 0.9)} | attributes
    return open_series(write_ct_series(folder, slices=4, **attributes))


NARROW: Sequence[tuple[Check, dict[str, Any], str]] = (
    (scope_checks.size, {"slices": Range(minimum=10, maximum=99)}, "has 4 slices"),
    (scope_checks.size, {"rows_columns": Range(minimum=256, maximum=999)}, "is 64 pixels"),
    (scope_checks.size, {"extent_mm": Range(minimum=50, maximum=999)}, "stack is 12 mm"),
    (scope_checks.spacing, {"pixel_spacing_mm": Range(minimum=1, maximum=2)}, "is 0.9 mm"),
    (scope_checks.spacing, {"slice_spacing_mm": Range(minimum=0.5, maximum=2)}, "slices is 3 mm"),
    (scope_checks.acquisition, {"kvp": Range(minimum=60, maximum=100)}, "voltage is 120 kV"),
    (scope_checks.acquisition, {"refused_body_parts": ("CHEST",)}, "body part is CHEST"),
    (scope_checks.image_type, {"image_types_refused": ("PRIMARY",)}, "says PRIMARY"),
    (scope_checks.kernel, {"refused_kernels": "^B[5-9]"}, "kernel B50f is sharper"),
)


@pytest.mark.parametrize(("check", "wanted", "sentence"), NARROW)
def test_outside_the_scope_is_a_sentence(
    tmp_path: Path, check: Check, wanted: dict[str, Any], sentence: str
) -> None:
    (reason,) = found(check, tmp_path, scope(**wanted))
    assert sentence in reason


def test_no_refusal_tells_a_number_that_the_model_takes() -> None:
    """120 slices of 1 mm, whose positions are written with their rounding, are 120 mm."""
    taken = Range(minimum=120, maximum=2300)
    assert not list(scope_checks.outside([119.99998], taken, "length of the stack", "mm"))
    (reason,) = scope_checks.outside([119.9], taken, "length of the stack", "mm")
    assert "is 119.9 mm; the model takes 120 to 2300 mm" in reason


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"StudyDate": "29990101"}, "Study Date"),
        ({"AcquisitionDate": "29990101"}, "Acquisition Date"),
        ({"AcquisitionDateTime": "29990101120000"}, "Acquisition DateTime"),
        ({"PatientBirthDate": "29990101"}, "Patient's Birth Date"),
    ],
)
def test_a_date_in_the_future_is_refused(
    tmp_path: Path, attributes: dict[str, str], name: str
) -> None:
    """Our own check holds what carries one, and says that the fault is ours."""
    (reason,) = found(scope_checks.dated, tmp_path, scope(), **attributes)
    assert reason.startswith(f"The {name} lies in the future; correct it")


def test_words_for_a_date_are_refused(tmp_path: Path) -> None:
    with pydicom.config.disable_value_validation():
        (reason,) = found(scope_checks.dated, tmp_path, scope(), PatientBirthDate="unknown")
    assert reason.startswith("The Patient's Birth Date is no date; correct it")


@pytest.mark.parametrize("value", ["E", "1.2.3", "nan", "-"])
def test_a_number_that_is_none_is_no_figure(tmp_path: Path, value: str) -> None:
    """A gate that fails is asked again for ever, and nobody is told why."""
    source = phantom(tmp_path)
    for header in source.headers:
        header["KVP"] = RawDataElement(Tag("KVP"), "DS", 4, value.encode(), 0, False, True)
    assert list(scope_checks.acquisition(source, scope(kvp=Range(minimum=60, maximum=100)))) == []


@pytest.mark.parametrize("date", [latest_date(), "20250311", ""])
def test_other_dates_are_taken(tmp_path: Path, date: str) -> None:
    assert found(scope_checks.dated, tmp_path, scope(), StudyDate=date) == []


@pytest.mark.parametrize("check", {check for check, _, _ in NARROW})
def test_what_the_card_does_not_name_is_not_checked(tmp_path: Path, check: Check) -> None:
    assert found(check, tmp_path, scope()) == []


@pytest.mark.parametrize(
    ("check", "attributes", "sentence"),
    [
        (scope_checks.modality, {"Modality": "MR"}, "not a CT series: its modality is MR"),
        (scope_checks.modality, {"SamplesPerPixel": 3}, "images are in colour"),
        (scope_checks.acquired, {"SyntheticData": "YES"}, "already synthetic"),
        (
            scope_checks.original_axial_ct,
            {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
            "scout",
        ),
        (
            scope_checks.original_axial_ct,
            {"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]},
            "reformatted or processed",
        ),
        (
            scope_checks.original_axial_ct,
            {"ImageType": ["ORIGINAL", "PRIMARY", "CORONAL"]},
            "not axial",
        ),
        (scope_checks.placed, {"FrameOfReferenceUID": None}, "no Frame of Reference UID"),
        (scope_checks.lossless, {"LossyImageCompression": "01"}, "with loss"),
    ],
)
def test_what_no_card_takes(
    tmp_path: Path, check: Check, attributes: dict[str, Any], sentence: str
) -> None:
    (reason,) = found(check, tmp_path / "wrong", scope(), **attributes)
    assert sentence in reason
    assert found(check, tmp_path / "right", scope()) == []


@pytest.mark.parametrize(
    ("said", "syntax", "refused"),
    [
        (None, JPEGLSNearLossless, True),
        (None, JPEG2000, True),
        ("00", JPEG2000, False),  # PS3.5 A.4.4: it may be without loss, and the scanner says so
        (None, JPEG2000Lossless, False),
    ],
)
def test_a_silent_header_leaves_the_word_to_the_transfer_syntax(
    tmp_path: Path, said: str | None, syntax: UID, refused: bool
) -> None:
    series = phantom(tmp_path, LossyImageCompression=said)
    for header in series.headers:
        header.file_meta.TransferSyntaxUID = syntax
    assert bool(list(scope_checks.lossless(series, scope()))) is refused


@pytest.mark.parametrize(("field", "accepted"), [("1.5", True), ("15000", True), ("7", False)])
def test_a_field_strength_may_be_written_in_gauss(
    tmp_path: Path, field: str, accepted: bool
) -> None:
    wanted = scope(magnetic_field_t=Range(minimum=1, maximum=3.5))
    reasons = found(scope_checks.acquisition, tmp_path, wanted, MagneticFieldStrength=field)
    assert (not reasons) is accepted


def test_slices_have_to_lie_across_the_body(tmp_path: Path) -> None:
    tilt = scope(largest_tilt_degrees=35)
    assert found(scope_checks.orientation, tmp_path / "axial", tilt) == []
    coronal = write_ct_series(tmp_path / "coronal", slices=4)
    for index, path in enumerate(coronal):
        ds = pydicom.dcmread(path)
        ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        ds.ImagePositionPatient = [0, 3 * index, 0]
        ds.save_as(path)
    (reason,) = scope_checks.orientation(open_series(coronal), tilt)
    assert "90 degrees off" in reason
