from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipelines import catalog
from pipelines.errors import CardError
from pipelines.mr_to_ct.quality import (
    FEATURES,
    KnownInputs,
    QualityMeter,
    read_calibration,
    slice_features,
)


def images(shift: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A body in an MR (1, rows, columns), and a CT whose body lies `shift` pixels aside."""
    mr = np.full((1, 64, 64), 0.01, np.float32)
    mr[:, 16:48, 16:48] = 0.5 + 0.1 * np.random.default_rng(0).random((1, 32, 32))
    ct = np.full((64, 64), -1000.0, np.float32)
    ct[16:48, 16 + shift : 48 + shift] = 40.0
    return mr, ct


def known() -> KnownInputs:
    centre = slice_features(images()[0])
    return KnownInputs(centre, np.eye(len(FEATURES)), 3.0, 6.0, 30.0, 60.0)


def test_features_are_those_that_the_calibration_was_made_of() -> None:
    mr = images()[0]
    both = slice_features(np.concatenate([mr, mr / 2]))
    wanted = [-1.0986, -5.2933, 0.5528, 0.0286, -3.4523]
    np.testing.assert_allclose(both, [*wanted, 0.5], atol=1e-3)
    np.testing.assert_allclose(slice_features(mr), [*wanted, 0], atol=1e-3)
    shipped = read_calibration(catalog.folder("mr_to_ct"))
    assert shipped.known
    for own in shipped.known.values():
        assert 0 < own.amber_distance < own.red_distance
        assert 0 < own.amber_unsureness_hu < own.red_unsureness_hu
        assert np.linalg.eigvalsh(own.precision).min() > 0


@pytest.mark.parametrize(
    ("away", "light", "word"),
    [(3.0, "GREEN", ""), (3.01, "AMBER", "unusual"), (6.0, "AMBER", "unusual"),
     (6.01, "RED", "unlike")],
)  # fmt: skip
def test_a_distance_at_its_limit_is_still_within_it(away: float, light: str, word: str) -> None:
    centre = slice_features(images()[0])
    centre[0] += away - 1e-9
    meter = QualityMeter(replace(known(), centre=centre))
    meter.add(*images())
    verdict, reasons = meter.verdict()
    assert verdict == light
    assert word in " ".join(reasons)


def test_a_usual_series_is_green() -> None:
    meter = QualityMeter(known())
    meter.add(*images())
    meter.add_second_answer(images()[1], images()[1], np.ones((64, 64), bool))
    assert meter.verdict() == ("GREEN", ())
    assert meter.measurements()["outlines_agree"] == 1.0
    assert meter.measurements()["mean_soft_hu"] == pytest.approx(40.0)


def test_tissues_are_told_by_their_share_and_mean() -> None:
    mr, ct = images()
    ct[16:24, 16:48], ct[40:48, 16:48] = -100.0, 700.0
    ct[17, 16:48] = -140.0
    meter = QualityMeter(known())
    meter.add(mr, ct)
    found = meter.measurements()
    assert (found["fat_share"], found["soft_share"], found["bone_share"]) == (0.25, 0.5, 0.25)
    assert (found["mean_fat_hu"], found["mean_soft_hu"], found["mean_bone_hu"]) == (-105, 40, 700)
    assert set(found) == set(catalog.card("mr_to_ct").measurements), "each is explained"


@pytest.mark.parametrize(("shift", "light"), [(4, "GREEN"), (8, "AMBER"), (14, "RED")])
def test_another_outline_is_seen(shift: int, light: str) -> None:
    meter = QualityMeter(known())
    meter.add(*images(shift))
    assert meter.verdict()[0] == light
    assert ("outline" in " ".join(meter.verdict()[1])) is (light != "GREEN")


@pytest.mark.parametrize(("signal", "agree"), [(0.05, 0.8889), (0.01, 1.0)])
def test_tissue_where_the_mr_is_dark_may_be_bone(signal: float, agree: float) -> None:
    mr, ct = images()
    mr[:, 48:56, 16:48] = signal
    ct[48:56, 16:48] = 40.0
    meter = QualityMeter(known())
    meter.add(mr, ct)
    assert meter.measurements()["outlines_agree"] == agree


def test_unlike_images_are_red() -> None:
    meter = QualityMeter(known())
    mr, ct = images()
    mr[:, 16:48, 16:48] = np.random.default_rng(1).random((1, 32, 32)) * 20
    meter.add(mr, ct)
    assert meter.verdict()[0] == "RED"
    assert "unlike" in meter.verdict()[1][0]


@pytest.mark.parametrize(("rows", "light"), [(2, "GREEN"), (8, "AMBER")])
def test_tissue_where_the_mr_has_no_image_is_a_guess(rows: int, light: str) -> None:
    meter = QualityMeter(known())
    mr, ct = images()
    mr[:, 48:] = 0.0
    ct[48 : 48 + rows, 16:48] = 40.0
    meter.add(mr, ct)
    assert meter.measurements()["guessed_share"] == pytest.approx(rows / (32 + rows), abs=1e-4)
    assert meter.verdict()[0] == light
    assert ("exactly 0" in " ".join(meter.verdict()[1])) is (light == "AMBER")


@pytest.mark.parametrize(("difference", "light"), [(40.0, "AMBER"), (80.0, "RED")])
def test_an_unsure_model_says_so(difference: float, light: str) -> None:
    meter = QualityMeter(known())
    mr, ct = images()
    meter.add(mr, ct)
    meter.add_second_answer(ct, ct + np.float32(difference), mr[0] > 0.1)
    assert meter.verdict()[0] == light


def test_values_that_are_no_numbers_are_red_and_remarks_amber() -> None:
    mr, ct = images()
    meter = QualityMeter(known(), ("A remark.",))
    meter.add(mr, ct)
    assert meter.verdict() == ("AMBER", ("A remark.",))
    broken = np.full_like(ct, np.nan)
    meter.add_second_answer(ct, broken, mr[0] > 0)
    meter.add(mr, broken)
    meter.add(mr, ct)
    light, reasons = meter.verdict()
    assert light == "RED"
    assert "no numbers" in reasons[0]


def test_slices_without_body_tell_nothing() -> None:
    assert np.isnan(slice_features(np.zeros((1, 64, 64), np.float32))).all()
    meter = QualityMeter(known())
    meter.add(np.zeros((1, 64, 64), np.float32), np.full((64, 64), -1000.0, np.float32))
    light, (sentence,) = meter.verdict()
    assert (light, "No slice" in sentence) == ("RED", True)
    meter.add(*images())
    assert meter.verdict() == ("GREEN", ())


def test_a_calibration_for_other_features_is_refused(tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(json.dumps({"features": ["odd"], "models": {}}))
    with pytest.raises(CardError, match="should be for"):
        read_calibration(tmp_path)
    with pytest.raises(CardError, match="cannot be read"):
        read_calibration(tmp_path / "absent")
