from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicom_profiles.reading import open_series
from dicom_profiles.sources.source import Source
from pipelines.gates import gate, recognise
from tests.dual_echo import write_dual_echo
from tests.synthetic import write_ct_series


def echoes(folder: Path, *keys: str, **attributes: Any) -> dict[str, Source]:
    paths = write_dual_echo(folder, slices=4, size=64, **attributes)
    return {key: open_series(paths[key]) for key in keys}


@pytest.mark.parametrize("keys", [("IP", "OOP"), ("IP",)])
def test_a_dual_echo_and_its_in_phase_half_are_taken(tmp_path: Path, keys: tuple[str, ...]) -> None:
    verdict = gate("mr_to_ct", echoes(tmp_path, *keys))
    assert verdict.accepted, verdict.reasons


def test_the_opposed_phase_alone_is_not_enough(tmp_path: Path) -> None:
    verdict = gate("mr_to_ct", echoes(tmp_path, "OOP"))
    assert "in-phase" in verdict.reason


def test_a_t1_spin_echo_is_taken(tmp_path: Path) -> None:
    attributes: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "M"], "ScanningSequence": "SE", "EchoTime": "11",
        "RepetitionTime": "550", "SeriesDescription": "AX T1 SE", "ProtocolName": "AX T1 SE",
        "BodyPartExamined": "THIGH",
    }  # fmt: skip
    source = echoes(tmp_path, "IP", **attributes)["IP"]
    assert recognise("mr_to_ct", source.headers)[1] == "T1"
    verdict = gate("mr_to_ct", {"T1": source})
    assert verdict.accepted, verdict.reasons


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"BodyPartExamined": "BRAIN"}, "BRAIN"),
        ({"MagneticFieldStrength": "0.2"}, "0.2 T"),
        ({"LossyImageCompression": "01"}, "loss"),
        ({"SyntheticData": "YES"}, "synthetic"),
        ({"PixelSpacing": ["4", "4"]}, "4 mm"),
        ({"ContrastBolusAgent": "Gadovist"}, "contrast medium"),
        ({"ScanOptions": "FS"}, "fat is suppressed"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MIP"]}, "Image Type says MIP"),
        ({"FrameOfReferenceUID": ""}, "Frame of Reference UID"),
        ({"SliceThickness": "13"}, "slice thickness is 13 mm"),
    ],
)
def test_refusals_are_sentences(tmp_path: Path, attributes: dict[str, str], sentence: str) -> None:
    verdict = gate("mr_to_ct", echoes(tmp_path, "IP", "OOP", **attributes))
    assert not verdict.accepted
    assert any(sentence in reason for reason in verdict.reasons), verdict.reasons


def test_slices_that_are_too_few_or_too_oblique_are_refused(tmp_path: Path) -> None:
    two = {"IP": open_series(write_dual_echo(tmp_path / "two", slices=2, size=64)["IP"])}
    assert "has 2 slices" in gate("mr_to_ct", two).reason
    paths = write_dual_echo(tmp_path / "turned", slices=4, size=64)["IP"]
    for index, path in enumerate(paths):
        ds = dcmread(path)
        ds.ImageOrientationPatient = ["1", "0", "0", "0", "0.96", "0.28"]
        ds.ImagePositionPatient = ["0", f"{-0.84 * index:g}", f"{2.88 * index:g}"]
        ds.save_as(path)
    assert "16.3 degrees off" in gate("mr_to_ct", {"IP": open_series(paths)}).reason


def test_one_localiser_among_the_slices_is_enough_to_refuse(tmp_path: Path) -> None:
    paths = write_dual_echo(tmp_path, slices=4, size=64)["IP"]
    ds = dcmread(paths[1])
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.save_as(paths[1])
    verdict = gate("mr_to_ct", {"IP": open_series(paths)})
    assert any("or holds one" in reason for reason in verdict.reasons)


def test_echoes_of_two_breath_holds_are_no_pair(tmp_path: Path) -> None:
    inputs = echoes(tmp_path / "a", "IP") | echoes(tmp_path / "b", "OOP")
    assert "frame of reference" in gate("mr_to_ct", inputs).reason


def test_exchanged_phases_are_seen(tmp_path: Path) -> None:
    inputs = echoes(tmp_path, "IP", "OOP")
    verdict = gate("mr_to_ct", {"IP": inputs["OOP"], "OOP": inputs["IP"]})
    assert "no IP series" in verdict.reason


def test_a_ct_never_reaches_a_network(tmp_path: Path) -> None:
    source = open_series(write_ct_series(tmp_path, slices=4))
    assert "not a MR series" in gate("mr_to_ct", {"T1": source}).reason
