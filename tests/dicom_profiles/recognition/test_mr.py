from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from dicom_profiles.recognition.mr import recognise_mr

RUNS_FROM = 0.8
"""The node runs on nothing below this confidence."""


def header(**attributes: Any) -> Dataset:
    """A breath-hold gradient echo of the abdomen at 1.5 T."""
    ds = Dataset()
    ds.SOPClassUID, ds.Modality = MRImageStorage, "MR"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.ScanningSequence, ds.MagneticFieldStrength = "GR", "1.5"
    ds.EchoTime, ds.RepetitionTime, ds.FlipAngle = "4.6", "120", "70"
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SeriesDescription = "AX T1 DUAL"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        # DICOM profile 3.2: Image Type of Siemens and Philips
        (
            {"ImageType": ["ORIGINAL", "PRIMARY", "M", "IN_PHASE", "NORM", "DIS2D"]},
            "mr_in_phase",
        ),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "OUT_PHASE", "NORM"]}, "mr_opposed_phase"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "OPP_PHASE"]}, "mr_opposed_phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "IP", "IP", "DERIVED"]}, "mr_in_phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "OP", "OP", "DERIVED"]}, "mr_opposed_phase"),
        # Image Type wins over the echo time, which Philips may write wrongly
        ({"ImageType": ["ORIGINAL", "PRIMARY", "OP"], "EchoTime": "4.6"}, "mr_opposed_phase"),
        # the echo time
        ({"EchoTime": "4.6"}, "mr_in_phase"),
        ({"EchoTime": "2.3"}, "mr_opposed_phase"),
        ({"EchoTime": "6.9"}, "mr_opposed_phase"),
        ({"EchoTime": "2.3", "MagneticFieldStrength": "3"}, "mr_in_phase"),
        ({"EchoTime": "1.15", "MagneticFieldStrength": "3"}, "mr_opposed_phase"),
        ({"EchoTime": "4.6", "MagneticFieldStrength": "15000"}, "mr_in_phase"),
        ({"EchoTime": "2.3", "SeriesDescription": "LAVA OutPhase"}, "mr_opposed_phase"),
        ({"EchoTime": "9.2"}, "mr_in_phase"),
        ({"ContrastBolusAgent": "NONE"}, "mr_in_phase"),
        # other weightings
        (
            {"ScanningSequence": "SE", "EchoTime": "11", "RepetitionTime": "550"},
            "mr_t1",
        ),
        (
            {
                "ScanningSequence": "SE",
                "EchoTime": "12",
                "RepetitionTime": "600",
                "SeriesDescription": "AX",
            },
            "mr_t1",
        ),
        (
            {"ScanningSequence": "SE", "EchoTime": "90", "SeriesDescription": "AX T2"},
            "mr_t2",
        ),
        (
            {"ScanningSequence": "SE", "EchoTime": "90", "SeriesDescription": "AX T2 FATSAT"},
            "mr_t2",
        ),
        ({"ScanningSequence": "SE", "EchoTime": "60", "SeriesDescription": "AX"}, "mr_t2"),
    ],
)
def test_kinds(attributes: dict[str, Any], kind: str) -> None:
    found = recognise_mr([header(**attributes)])
    assert found.kind == kind, found.reasons
    assert found.confidence >= RUNS_FROM
    assert found.reasons


@pytest.mark.parametrize(
    "name",
    ["Ax T1 in/out of phase", "AX DUAL ECHO IN/OUT", "In and out of phase", "InOut",
     "in & opp phase", "t1_fl2d_in-opp_tra", "t1_fl2d_opp_in", "T1W IP/OP", "in phase / out phase"],
)  # fmt: skip
def test_the_name_of_a_whole_dual_echo_contradicts_neither_echo(name: str) -> None:
    for echo, kind in (("4.6", "mr_in_phase"), ("2.3", "mr_opposed_phase")):
        found = recognise_mr([header(EchoTime=echo, SeriesDescription=name)])
        assert (found.kind, found.confidence >= RUNS_FROM) == (kind, True), found.reasons


def test_image_type_wins_over_a_name_that_speaks_of_water() -> None:
    """Philips names the examination mDIXON-W and sends its in-phase images with it."""
    named = {"SeriesDescription": "mDIXON-W"}
    assert recognise_mr([header(**named)]).kind == "other"
    typed = header(ImageType=["DERIVED", "PRIMARY", "IP", "IP", "DERIVED"], **named)
    assert recognise_mr([typed]).kind == "mr_in_phase"


@pytest.mark.parametrize(
    "attributes",
    [
        {"EchoTime": "4.6", "SeriesDescription": "AX T1 OUT OF PHASE"},
        {"EchoTime": "2.3", "SeriesDescription": "T1 in phase, thin outer slices"},
        {"EchoTime": "2.3", "SeriesDescription": "t1 in-phase"},
        {"EchoTime": "3.4", "SeriesDescription": "t1 in-phase"},
        {"ScanningSequence": "SE", "EchoTime": "90", "SeriesDescription": "AX T1"},
    ],
)
def test_contradictions_wait_for_a_person(attributes: dict[str, Any]) -> None:
    assert recognise_mr([header(**attributes)]).confidence < RUNS_FROM


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": ["DERIVED", "PRIMARY", "W", "W", "DERIVED"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "WATER"]},
        {"ImageType": ["DERIVED", "PRIMARY", "M", "FAT_FRACTION"]},
        {"ImageType": ["DERIVED", "SECONDARY", "SUBTRACTION"]},
        {"ImageType": ["DERIVED", "SECONDARY", "ADC"]},
        {"ScanOptions": ["DIXF"]},
        {"SeriesDescription": "WATER: AX LAVA"},
        {"SeriesDescription": "AX LAVA FatSat"},
        {"ScanOptions": ["FS"]},
        {"SeriesDescription": "AX T1 dyn portal"},
        {"ContrastBolusAgent": "Gadovist"},
        {"SeriesDescription": "SURVEY"},
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        {"ScanningSequence": ["GR", "IR"]},
        {"SOPClassUID": EnhancedMRImageStorage},
        {"Modality": "CT"},
        {"EchoTime": "3.4", "SeriesDescription": "AX"},
        {"EchoTime": "20", "SeriesDescription": "AX GRE"},
        {"EchoTime": "11.5", "SeriesDescription": "half a cycle, but the third"},
        {"EchoTime": "0.3", "SeriesDescription": "far from half a cycle"},
        {"ScanningSequence": ["GR", "EP"], "SeriesDescription": "echo planar"},
        {"ScanningSequence": "SE", "EchoTime": "31", "SeriesDescription": "AX"},
        {"ScanningSequence": "SE", "RepetitionTime": "1201", "SeriesDescription": "AX"},
    ],
)
def test_what_is_no_input(attributes: dict[str, Any]) -> None:
    assert recognise_mr([header(**attributes)]).kind == "other"


@pytest.mark.parametrize(
    "term", ["FF", "TRACE", "T2_STAR_MAP", "R2_STAR", "SUB", "MPR", "PHASE MAP"]
)
def test_every_term_of_a_computed_image_is_known(term: str) -> None:
    found = recognise_mr([header(ImageType=["ORIGINAL", "PRIMARY", term])])
    assert found.reasons == (f"Image Type says that it is computed: {term}.",)


@pytest.mark.parametrize("option", ["FAT SAT", "FATSAT", "SPIR", "SPAIR", "STIR"])
def test_every_way_to_suppress_fat_is_known(option: str) -> None:
    assert "fat is suppressed" in recognise_mr([header(ScanOptions=["PFF", option])]).reasons[0]


def test_synthetic_and_empty() -> None:
    assert recognise_mr([header(), header(SyntheticData="YES")]).kind == "synthetic"
    assert recognise_mr([]).kind == "other"


def test_a_mixed_stack_is_none() -> None:
    both = [
        header(ImageType=["ORIGINAL", "PRIMARY", "M", "IN_PHASE"]),
        header(ImageType=["ORIGINAL", "PRIMARY", "M", "OUT_PHASE"]),
    ]
    assert recognise_mr(both).kind == "other"


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [
        ("mr_abdomen_philips_survey", {"other"}),
        ("mr_abdomen_toshiba_SCAN_001", {"other", "mr_t2"}),
        ("mr_thigh_siemens_sts001", {"mr_t1", "mr_t2"}),
        ("mr_breast_ge_dce", {"other"}),
        ("mr_brain_nifti2dicom_datalad", {"other"}),
    ],
)
def test_real_series_that_are_no_dual_echo(shared_data: Path, folder: str, kinds: set[str]) -> None:
    found = {
        recognise_mr([pydicom.dcmread(path, stop_before_pixels=True)]).kind
        for path in (shared_data / folder).glob("*.dcm")
    }
    assert found == kinds
