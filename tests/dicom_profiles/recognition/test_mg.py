from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForProcessing,
)

from dicom_profiles.codes import code_sequence
from dicom_profiles.recognition.mg import recognise_low_energy_mammogram
from tests.mammograms import mammogram


def kind_of(**attributes: Any) -> tuple[str, float]:
    found = recognise_low_energy_mammogram([mammogram(**attributes)])
    assert found.reasons
    assert all(reason.endswith(".") for reason in found.reasons)
    return found.kind, found.confidence


ORIGINAL = ["ORIGINAL", "PRIMARY", ""]


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        # GE: value 4; the standard: value 5
        ({"ImageType": [*ORIGINAL, "LOW_ENERGY"]}, ("mg_low_energy", 1.0)),
        ({"ImageType": [*ORIGINAL, "", "LOW_ENERGY"]}, ("mg_low_energy", 1.0)),
        ({"ImageType": [*ORIGINAL, "RECOMBINED"]}, ("mg_recombined", 1.0)),
        ({"ImageType": ORIGINAL, "AcquisitionDeviceProcessingCode": "GEMS_CESM_1"},
         ("mg_recombined", 1.0)),
        ({"ImageType": ["DERIVED", "PRIMARY", "", "SUBTRACTION"]}, ("mg_recombined", 1.0)),
        ({"ImageType": [*ORIGINAL, "HIGH_ENERGY"], "KVP": "47"}, ("mg_high_energy", 1.0)),
        # Hologic and others: contrast and tube voltage
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "Iohexol", "KVP": "30"},
         ("mg_low_energy", 0.8)),
        ({"ImageType": ORIGINAL, "SeriesDescription": "L CC CE2D Low Energy", "KVP": "29"},
         ("mg_low_energy", 0.8)),
        ({"ImageType": ORIGINAL, "SeriesDescription": "TiCEM", "KVP": "49"},
         ("mg_high_energy", 0.8)),
        ({"ImageType": ORIGINAL, "SeriesDescription": "TiCEM", "KVP": "40"},
         ("mg_high_energy", 0.8)),
        ({"ImageType": ORIGINAL, "ProtocolName": "CESM", "KVP": "35.9"}, ("mg_low_energy", 0.8)),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "POST_CONTRAST"], "KVP": "30"},
         ("mg_low_energy", 0.8)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgentSequence": [Dataset()], "KVP": "30"},
         ("mg_low_energy", 0.8)),
        ({"ImageType": ORIGINAL, "SeriesDescription": "L CC CE2D Recombined", "KVP": "29"},
         ("mg_recombined", 0.8)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "x", "KVP": "29",
          "AcquisitionDeviceProcessingDescription": "SUBTRACTED"}, ("mg_recombined", 0.8)),
        ({"ImageType": ORIGINAL, "StudyDescription": "CESM with subtraction", "KVP": "29"},
         ("mg_low_energy", 0.8)),
        # plain, for processing, not 2-D
        ({"ImageType": ORIGINAL, "StudyDescription": "screening"}, ("mg_plain", 1.0)),
        ({"SOPClassUID": DigitalMammographyXRayImageStorageForProcessing},
         ("mg_low_energy_for_processing", 1.0)),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]},
         ("mg_tomosynthesis", 1.0)),
        ({"SOPClassUID": BreastTomosynthesisImageStorage}, ("mg_tomosynthesis", 1.0)),
        ({"SOPClassUID": BreastProjectionXRayImageStorageForProcessing}, ("mg_tomosynthesis", 1.0)),
        ({"Modality": "DX"}, ("other", 1.0)),
        ({"EstimatedRadiographicMagnificationFactor": "1.8"}, ("mg_magnified", 1.0)),
        ({"EstimatedRadiographicMagnificationFactor": "1.3"}, ("mg_low_energy", 1.0)),
        # contradictions: a person decides
        ({"KVP": "36"}, ("mg_low_energy", 0.5)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "x", "KVP": "36"}, ("mg_low_energy", 0.5)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "x", "KVP": "39.9"}, ("mg_low_energy", 0.5)),
        ({"KVP": "47"}, ("mg_low_energy", 0.5)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "x", "KVP": "38"}, ("mg_low_energy", 0.5)),
        ({"ImageType": ORIGINAL, "ContrastBolusAgent": "x", "KVP": None}, ("mg_low_energy", 0.5)),
    ],
)  # fmt: skip
def test_every_rule(attributes: dict[str, Any], wanted: tuple[str, float]) -> None:
    attributes = {"StudyDescription": "breast", **attributes}
    assert kind_of(**attributes) == wanted


@pytest.mark.parametrize(
    ("value", "scheme", "word"),
    [("399163009", "SCT", "magnification"), ("R-102D7", "SNM3", "spot compression")],
)
def test_close_views_are_told_apart(value: str, scheme: str, word: str) -> None:
    ds = mammogram()
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, word
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([code])
    found = recognise_low_energy_mammogram([ds])
    assert found.kind == "mg_magnified"
    assert word in found.reasons[0]


def test_another_view_modifier_is_no_obstacle() -> None:
    ds = mammogram()
    from pydicom.sr.coding import Code

    ds.ViewCodeSequence[0].ViewModifierCodeSequence = code_sequence(
        [Code("399161006", "SCT", "Cleavage")]
    )
    assert recognise_low_energy_mammogram([ds]).kind == "mg_low_energy"


def test_ours_are_synthetic_before_all_else() -> None:
    assert kind_of(SyntheticData="YES") == ("synthetic", 1.0)


def test_nothing_is_other() -> None:
    assert recognise_low_energy_mammogram([]).kind == "other"


def test_images_of_several_kinds_are_for_a_person() -> None:
    two = [mammogram(), mammogram(ImageType=[*ORIGINAL, "RECOMBINED"])]
    found = recognise_low_energy_mammogram(two)
    assert found.kind == "other"
    assert found.confidence < 0.8


def test_the_least_sure_image_of_a_kind_decides() -> None:
    found = recognise_low_energy_mammogram([mammogram(), mammogram(KVP="47")])
    assert (found.kind, found.confidence) == ("mg_low_energy", 0.5)


def test_the_contrast_agent_is_not_quoted() -> None:
    found = recognise_low_energy_mammogram(
        [mammogram(ImageType=ORIGINAL, ContrastBolusAgent="SECRET", KVP="30")]
    )
    assert "SECRET" not in " ".join(found.reasons)


def test_a_real_plain_mammogram_is_plain(shared_data: Path) -> None:
    (path,) = (shared_data / "mg").glob("*.dcm")
    header = pydicom.dcmread(path, stop_before_pixels=True)
    assert recognise_low_energy_mammogram([header]).kind == "mg_plain"
