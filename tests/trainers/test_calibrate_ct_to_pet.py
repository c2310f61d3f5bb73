from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.ct_to_pet.input_distance import FEATURES, read_calibration
from trainers import calibrate_ct_to_pet
from trainers.calibrate_ct_to_pet import calibration, described_parts, known_group
from trainers.readers.ct_pet import CubePair
from trainers.training.errors import SourceError


def pair(patient: str, fat: float) -> CubePair:
    """A body of fat below and muscle above."""
    random = np.random.default_rng(int(patient))
    hu = np.full((30, 12, 12), 55.0) + random.normal(0, 4, (30, 12, 12))
    hu[: int(30 * fat)] -= 155
    soft = np.clip(hu, -200, 300)
    seen = np.stack([hu / 1000, (soft - 20) / 100, np.full(hu.shape, 0.2)]).astype(np.float16)
    body = np.ones(hu.shape, np.bool_)
    return CubePair(patient, seen, np.zeros(hu.shape, np.float16), body, ~body,
                    body.astype(np.uint8))  # fmt: skip


def test_a_ct_is_described_whole_and_in_parts() -> None:
    whole, low, _, high = described_parts(pair("1", fat=0.5))
    fat = FEATURES.index("fat")
    assert low[fat] > whole[fat] > high[fat]


def test_a_group_is_close_to_itself_and_far_from_others() -> None:
    random = np.random.default_rng(0)
    described = random.normal(0, 1, (40, len(FEATURES)))
    group = known_group("some", described)
    assert group.distance(described.mean(axis=0)) == 0
    distances = [group.distance(one) for one in described]
    assert np.median(distances) == pytest.approx(np.sqrt(len(FEATURES)), rel=0.25)
    assert group.distance(described.mean(axis=0) + 10) > 2 * max(distances)


def test_features_that_never_vary_do_not_rule() -> None:
    described = np.ones((10, len(FEATURES)))
    group = known_group("alike", described)
    assert np.isfinite(group.precision).all()
    assert group.distance(described[0] + 0.05) < np.sqrt(len(FEATURES))


def test_red_begins_at_twice_the_farthest() -> None:
    made = calibration([], 3.5)
    assert (made["amber_distance"], made["red_distance"]) == (3.5, 7.0)


def kept_bodies(bank: Path) -> None:
    bank.mkdir()
    for number in range(4):
        made = pair(str(number), fat=0.3 + 0.1 * number)
        np.savez(bank / f"body_{number:04d}.npz", seen=made.seen, suv=made.suv, body=made.body,
                 lesions=made.lesions, districts=made.districts)  # fmt: skip


def calibrate(folder: Path, known: str, left_out: str) -> None:
    kept_bodies(folder / "bank")
    words = ["--known", known, "--leave-out", left_out, "--bank", str(folder / "bank")]
    calibrate_ct_to_pet.main([*words, "--out", str(folder / "calibration.json")])


def test_command_writes_what_the_pipeline_reads(tmp_path: Path) -> None:
    calibrate(tmp_path, "bodies=simulated:4", "body_0003")
    found = read_calibration(tmp_path)
    assert [group.name for group in found.groups] == ["bodies"]
    known = [found.distance(one) for number in range(3)
             for one in described_parts(pair(str(number), 0.3 + 0.1 * number))]  # fmt: skip
    assert max(known) == pytest.approx(found.amber, rel=0.05)
    assert found.red == pytest.approx(2 * found.amber, abs=2e-3)
    written = json.loads((tmp_path / "calibration.json").read_text())
    assert set(written["features"]) == set(FEATURES)


def test_a_patient_who_is_in_no_source_cannot_be_left_out(tmp_path: Path) -> None:
    """Else a slip of the pen would let in whom the lights are tried on."""
    with pytest.raises(SourceError, match="after --leave-out, got body_3"):
        calibrate(tmp_path, "bodies=simulated:4", "body_3")
    assert not (tmp_path / "calibration.json").exists()


def test_a_source_without_a_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No CT is left in simulated:1"):
        calibrate(tmp_path, "bodies=simulated:1", "body_0000")
