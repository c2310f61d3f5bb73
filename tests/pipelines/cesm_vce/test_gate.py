from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicom_profiles.reading import open_source
from pipelines import gates
from pipelines.contract import GateVerdict
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series


def verdict(tmp_path: Path, **attributes: Any) -> GateVerdict:
    return gates.gate(
        "cesm_vce", {"LE": open_source([write_mammogram(tmp_path / "a", **attributes)])}
    )


@pytest.mark.parametrize(("side", "view"), [("L", "CC"), ("R", "MLO")])
def test_a_low_energy_mammogram_is_taken(tmp_path: Path, side: str, view: str) -> None:
    assert verdict(tmp_path, side=side, view=view) == GateVerdict(True, "", ())


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"Modality": "DX"}, "not a MG"),
        ({"SyntheticData": "YES"}, "already synthetic"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "RECOMBINED"]}, "RECOMBINED"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "HIGH_ENERGY"]}, "HIGH_ENERGY"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", ""], "StudyDescription": ""}, "plain mammogram"),
        ({"ImageType": ["DERIVED", "PRIMARY", "", "GENERATED_2D"]}, "GENERATED_2D"),
        ({"EstimatedRadiographicMagnificationFactor": "1.8"}, "magnified"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"}, "For Presentation"),
        ({"ImagerPixelSpacing": ["2", "2"]}, "pixel spacing"),
        ({"KVP": "47"}, "tube voltage"),
        ({"BreastImplantPresent": "YES"}, "implant"),
        ({"ImageLaterality": ""}, "which breast it shows"),
        ({"ImageLaterality": "X"}, "which breast it shows"),
        ({"PatientOrientation": ""}, "how the breast lies in it"),
        ({"PatientOrientation": ["A", ""]}, "how the breast lies in it"),
        ({"ViewPosition": "", "ViewCodeSequence": None}, "send it again with its view"),
    ],
)
def test_each_refusal_is_a_sentence(tmp_path: Path, attributes: dict[str, Any], word: str) -> None:
    found = verdict(tmp_path, **attributes)
    assert not found.accepted
    assert any(word in reason for reason in found.reasons)
    assert all(reason.endswith(".") for reason in found.reasons)


def test_another_modality_and_other_keys_are_refused(tmp_path: Path) -> None:
    stack = open_source(write_ct_series(tmp_path, slices=2))
    assert "not a MG" in gates.gate("cesm_vce", {"LE": stack}).reason
    assert "one low-energy mammogram" in gates.gate("cesm_vce", {"CT": stack}).reason


def test_a_real_plain_mammogram_is_refused(shared_data: Path) -> None:
    (path,) = (shared_data / "mg").glob("*.dcm")
    found = gates.gate("cesm_vce", {"LE": open_source([path])})
    assert not found.accepted
    assert "no low-energy image" in found.reason


def test_the_key_of_a_low_energy_mammogram_is_known(tmp_path: Path) -> None:
    source = open_source([write_mammogram(tmp_path / "a")])
    recognition, key = gates.recognise("cesm_vce", source.headers)
    assert (recognition.kind, key) == ("mg_low_energy", "LE")
