"""The gate's table: one case for every reason, with series as a scanner would write them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_profiles.errors import GeometryError
from dicom_profiles.reading import open_series
from pipelines.card_page import card_page
from pipelines.catalog import card
from pipelines.contract import GateVerdict
from pipelines.gates import gate
from tests.synthetic import write_ct_series

CORONAL = ["1", "0", "0", "0", "0", "-1"]


def verdict_of(folder: Path, **attributes: Any) -> GateVerdict:
    attributes.setdefault("slices", 5)
    return gate("ldct_denoise", {"CT": open_series(write_ct_series(folder, **attributes))})


def test_a_plain_low_dose_ct_is_accepted(tmp_path: Path) -> None:
    assert verdict_of(tmp_path) == GateVerdict(True, "", ())


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "modality": ({"Modality": "MR"}, "not a CT series: its modality is MR"),
    "kind": ({"SOPClassUID": SecondaryCaptureImageStorage}, "not plain CT images (CT Image"),
    "synthetic": ({"SyntheticData": "YES"}, "already synthetic"),
    "localiser": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
    "reformat": ({"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}, "reformatted"),
    "no image type": ({"ImageType": None}, "Image Type not given"),
    "other plane": ({"ImageType": ["ORIGINAL", "PRIMARY", "SAGITTAL"]}, "not axial"),
    "few slices": ({"slices": 2}, "has 2 slices; the model takes 3 to 5000"),
    "one slice": ({"slices": 1}, "has 1 slice; the model takes 3 to 5000"),
    "small matrix": ({"rows": 32}, "image matrix is 32 pixels"),
    "wide pixels": ({"spacing": (3.0, 2.0, 2.0)}, "pixel spacing is 2 mm"),
    "narrow pixels": ({"spacing": (3.0, 0.1, 0.1)}, "pixel spacing is 0.1 mm"),
    "far slices": ({"spacing": (12.0, 0.9, 0.9), "SliceThickness": "5"}, "distance of slices"),
    "thick slices": ({"SliceThickness": "15"}, "slice thickness is 15 mm"),
    "thin slices": ({"SliceThickness": "0.1"}, "slice thickness is 0.1 mm"),
    "voltage": ({"KVP": "40"}, "tube voltage is 40 kV"),
    "head": ({"BodyPartExamined": "HEAD"}, "body part is HEAD"),
    "kernel": ({"ConvolutionKernel": "H80s"}, "kernel H80s is sharper"),
    "kernel of two values": ({"ConvolutionKernel": ["Hr84f", "3"]}, "is sharper"),
    "no place": ({"FrameOfReferenceUID": ""}, "no Frame of Reference UID"),
    "loss": ({"LossyImageCompression": "01"}, "compressed with loss"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_out_of_scope_is_refused_in_words(case: str, tmp_path: Path) -> None:
    attributes, words = REFUSED[case]
    verdict = verdict_of(tmp_path, **attributes)
    assert not verdict.accepted
    assert words in verdict.reason
    assert verdict.reason.endswith(".")
    assert verdict.reasons[0] == verdict.reason


@pytest.mark.parametrize(
    "attributes",
    [
        {"ConvolutionKernel": ["Br38f", "3"]},
        {"ConvolutionKernel": None},
        {"BodyPartExamined": None},
        {"KVP": ""},
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "HELIX"]},
        {"ContrastBolusAgent": "OMNI"},
        {"padding_value": -2000},
    ],
)
def test_what_scanners_vary_is_accepted(attributes: dict[str, Any], tmp_path: Path) -> None:
    assert verdict_of(tmp_path, **attributes).reasons == ()


def test_slices_that_lie_in_another_plane_are_refused(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=4, ImageOrientationPatient=CORONAL)
    for index, path in enumerate(paths):
        move(path, ["-30", str(index * 3), "30"])
    verdict = gate("ldct_denoise", {"CT": open_series(paths)})
    assert verdict.reason == (
        "The slices are not axial: they lie 90 degrees off the axial plane; "
        "the model takes up to 2."
    )


def tilted(folder: Path, degrees: float, *, table_along_z: bool) -> list[Path]:
    """Slices that lie off the axial plane: stacked straight, or shifted by a tilted gantry."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    oblique = ["1", "0", "0", "0", f"{c:.9f}", f"{s:.9f}"]
    paths = write_ct_series(folder, slices=4, ImageOrientationPatient=oblique)
    y, z = (0.0, 3.0) if table_along_z else (-3.0 * s, 3.0 * c)
    for index, path in enumerate(paths):
        move(path, ["0", f"{y * index:.7f}", f"{z * index:.7f}"])
    return paths


@pytest.mark.parametrize(("degrees", "accepted"), [(1.0, True), (1.9, True), (3.0, False)])
def test_oblique_slices_are_taken_as_far_as_the_card_says(
    tmp_path: Path, degrees: float, accepted: bool
) -> None:
    series = open_series(tilted(tmp_path, degrees, table_along_z=False))
    verdict = gate("ldct_denoise", {"CT": series})
    assert verdict.accepted is accepted
    assert accepted or "3 degrees off the axial plane; the model takes up to 2." in verdict.reason
    assert "| oblique slices | up to 2 degrees off" in card_page(card("ldct_denoise"))


def test_a_tilted_gantry_is_told_apart_from_oblique_slices(tmp_path: Path) -> None:
    assert open_series(tilted(tmp_path / "hardly", 0.4, table_along_z=True))
    with pytest.raises(GeometryError, match=r"gantry tilted by 1\.0 degrees \(0\.5 are allowed\)"):
        open_series(tilted(tmp_path / "tilted", 1.0, table_along_z=True))
    assert "| gantry tilt | none (up to 0.5 degrees) |" in card_page(card("ldct_denoise"))


def move(path: Path, position: list[str]) -> None:
    ds = pydicom.dcmread(path)
    ds.ImagePositionPatient = position
    ds.save_as(path)


def test_every_reason_is_listed_and_the_first_leads(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, slices=2, KVP="40", SliceThickness="15")
    assert [reason.split(" ")[1] for reason in verdict.reasons] == ["series", "slice", "tube"]


@pytest.mark.parametrize("keys", [[], ["MR"], ["CT", "T1"]])
def test_other_inputs_than_one_ct_are_refused(keys: list[str], tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=3))
    verdict = gate("ldct_denoise", dict.fromkeys(keys, series))
    assert verdict.reason.startswith("This model takes one CT series, got: ")


@pytest.mark.parametrize("name", ["ct_chest_philips_lidc0314", "ct_liver_ge_1004"])
def test_series_that_scanners_wrote_are_accepted(name: str, shared_data: Path) -> None:
    series = open_series(sorted((shared_data / name).glob("*.dcm")))
    assert gate("ldct_denoise", {"CT": series}).reasons == ()
