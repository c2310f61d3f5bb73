"""The gate: what is no CT of a body is refused with its sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicom_profiles.reading import open_series
from pipelines.gates import gate, recognise, remarks
from tests.synthetic import write_ct_series

OBLIQUE = ["1", "0", "0", "0", "0.8", "0.6"]


def test_ct_of_enough_length_is_accepted(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=50))
    assert gate("ct_to_pet", {"CT": series}).accepted


def test_short_stack_is_refused(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=12))
    verdict = gate("ct_to_pet", {"CT": series})
    assert not verdict.accepted
    assert "length of the stack" in verdict.reason


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"SyntheticData": "YES"}, "already synthetic"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"FrameOfReferenceUID": ""}, "Frame of Reference"),
        ({"spacing": (7.0, 0.9, 0.9), "SliceThickness": "5"}, "distance of slices"),
        ({"KVP": "40"}, "tube voltage"),
        ({"ImageOrientationPatient": OBLIQUE}, "not axial"),
    ],
)
def test_each_refusal_is_a_sentence(tmp_path: Path, attributes: dict[str, Any], word: str) -> None:
    paths = write_ct_series(tmp_path, **{"slices": 25, "spacing": (5.0, 0.9, 0.9), **attributes})
    if attributes.get("ImageOrientationPatient"):
        for index, path in enumerate(paths):
            ds = pydicom.dcmread(path)
            ds.ImagePositionPatient = ["0", f"{-3 * index}", f"{4 * index}"]
            ds.save_as(path)
    (reason,) = gate("ct_to_pet", {"CT": open_series(paths)}).reasons
    assert word in reason


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({}, 0),
        ({"ContrastBolusAgent": "NONE"}, 0),
        ({"ContrastBolusAgent": "Imeron 350"}, 1),
        ({"ContrastBolusAgentSequence": [pydicom.Dataset()]}, 1),
    ],
)
def test_contrast_medium_is_taken_and_remarked_upon(
    tmp_path: Path, attributes: dict[str, Any], count: int
) -> None:
    series = open_series(write_ct_series(tmp_path, slices=50, **attributes))
    assert gate("ct_to_pet", {"CT": series}).accepted
    found = remarks("ct_to_pet", {"CT": series})
    assert ["contrast medium" in sentence for sentence in found] == [True] * count


@pytest.mark.parametrize("folder", ["pet_wholebody_cps_qin0024"])
def test_other_modalities_are_refused(shared_data: Path, folder: str) -> None:
    paths = sorted((shared_data / folder).rglob("*.dcm"))
    series = open_series(paths)
    verdict = gate("ct_to_pet", {"CT": series})
    assert not verdict.accepted
    assert verdict.reason.startswith("This is not a CT series")
    assert recognise("ct_to_pet", series.headers)[1] is None
