from __future__ import annotations

import json

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from pipelines.contract import EngineFacts, GateVerdict, QualityRecord, VolumeSource


def test_a_volume_can_be_read_again_and_again() -> None:
    affine = np.diag([3.0, 0.8, 0.8, 1.0])
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    source = VolumeSource(Volume(voxels, affine, "HU", "1.2"))  # type: ignore[arg-type]
    assert (source.shape, source.frame_of_reference) == ((2, 3, 4), "1.2")
    np.testing.assert_array_equal(source.affine, affine)
    for _ in range(2):
        slices = list(source.slices())
        assert {image.dtype for image in slices} == {np.dtype(np.float32)}
        np.testing.assert_array_equal(np.stack(slices), voxels)


def test_a_verdict_accepts_exactly_when_nothing_is_against_it() -> None:
    assert GateVerdict.from_reasons(()) == GateVerdict(True, "", ())
    assert GateVerdict.from_reasons(("a.", "b.")) == GateVerdict(False, "a.", ("a.", "b."))


def test_a_record_is_plain_json() -> None:
    engine = EngineFacts("torch", "cpu", "EPYC", "fp32", {"torch": "2"}, 0.0)
    record = QualityRecord("AMBER", ("x.",), 1.5, {"a": 1.0}, {"s": 1.0}, {"name": "m"}, engine, 3)
    values = record.to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["engine"]["hardware"] == "EPYC"
    assert values["reasons"] == ["x."]


@pytest.mark.parametrize(("made", "told"), [("GREEN", "AMBER"), ("AMBER", "AMBER"), ("RED", "RED")])
def test_what_is_remarked_upon_is_not_green(made: str, told: str) -> None:
    engine = EngineFacts("torch", "cpu", "EPYC", "fp32", {"torch": "2"}, 0.0)
    record = QualityRecord(made, (), 1.5, {}, {}, {}, engine, 3)
    assert record.with_remarks(()) == record
    remarked = record.with_remarks(("Look.",))
    assert (remarked.verdict, remarked.reasons) == (told, ("Look.",))
