from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines import catalog
from pipelines.cesm_vce.framing import framed
from pipelines.cesm_vce.quality import (
    FEATURES,
    Calibration,
    QualityMeter,
    features_of,
    read_calibration,
)
from pipelines.errors import CardError
from tests.mammograms import breast


def calibration(amber: float = 1.0, unsure: float = 0.1) -> Calibration:
    centre = features_of(framed(breast()))
    return Calibration(
        centre, np.eye(len(FEATURES)), amber, 2 * amber, unsure, 2 * unsure, sha256="0" * 64
    )


def meter(unsureness: float = 0.0, amber: float = 1.0, noise: float = 0.0) -> QualityMeter:
    image = breast()
    grain = np.random.default_rng(0).normal(0, noise, image.shape)
    around = framed(np.where(image > 0, image + grain, 0).astype(np.float32))
    found = QualityMeter(calibration(amber))
    made = np.where(around.breast, np.float32(0.3), np.float32(0))
    found.add(around, made, made + np.float32(unsureness) * around.breast)
    return found


def test_a_known_mammogram_is_green() -> None:
    assert meter().verdict() == ("GREEN", ())
    assert meter().input_distance() == pytest.approx(0, abs=1e-6)


def test_features_do_not_depend_on_side_or_display() -> None:
    plain = features_of(framed(breast()))
    np.testing.assert_allclose(features_of(framed(breast(side="R"))), plain, atol=1e-2)
    scaled = (4000 * breast()).astype(np.float32)
    np.testing.assert_allclose(features_of(framed(scaled)), plain, atol=2e-2)


def test_features_are_those_that_the_calibration_was_made_of() -> None:
    found = features_of(framed(breast()))
    np.testing.assert_allclose(found, [-0.597, 0.895, 0, 0.4985, -5.243, 0.0474], atol=2e-3)
    shipped = read_calibration(catalog.folder("cesm_vce"))
    assert 0 < shipped.amber_distance < shipped.red_distance
    assert 0.004 <= shipped.amber_unsureness < shipped.red_unsureness
    assert np.linalg.eigvalsh(shipped.precision).min() > 0


def test_figures_are_those_of_the_mean_of_both_answers() -> None:
    around, found = framed(breast()), QualityMeter(calibration())
    made = np.where(around.breast, np.float32(0.2), np.float32(0))
    rows, columns = np.nonzero(around.breast)
    made[rows[: len(rows) // 10], columns[: len(rows) // 10]] = 0.9
    found.add(around, made, made + np.float32(0.1))
    measured = found.measurements()
    assert measured["plain_level"] == pytest.approx(0.25)
    assert measured["highest_enhancement"] == pytest.approx(0.7)
    assert measured["unsureness"] == pytest.approx(0.1)
    assert measured["breast_share"] == pytest.approx(around.breast.mean(), abs=1e-4)
    assert set(measured) == set(catalog.card("cesm_vce").measurements), "each is explained"


@pytest.mark.parametrize(
    ("figure", "light"),
    [(0.99, "GREEN"), (1.0, "GREEN"), (1.01, "AMBER"), (2.0, "AMBER"), (2.01, "RED")],
)
def test_a_figure_at_its_limit_is_still_within_it(figure: float, light: str) -> None:
    found = meter()
    found.figures["input_distance"] = figure
    assert found.verdict()[0] == light
    found.figures |= {"input_distance": 0.0, "unsureness": figure / 10}
    assert found.verdict()[0] == light


@pytest.mark.parametrize(("unsureness", "light"), [(0.05, "GREEN"), (0.15, "AMBER"), (0.3, "RED")])
def test_an_unsure_model_is_said(unsureness: float, light: str) -> None:
    verdict, reasons = meter(unsureness).verdict()
    assert verdict == light
    assert bool(reasons) == (light != "GREEN")


def test_a_strange_mammogram_is_said() -> None:
    verdict, (reason,) = meter(noise=0.3, amber=0.05).verdict()
    assert verdict == "RED"
    assert "unlike" in reason


def test_what_is_no_number_is_red() -> None:
    around = framed(breast())
    found = QualityMeter(calibration())
    made = np.full(around.seen.shape, np.nan, np.float32)
    found.add(around, made, made)
    verdict, reasons = found.verdict()
    assert verdict == "RED"
    assert "no numbers" in reasons[0]
    assert np.isfinite(list(found.measurements().values())).all()


def test_the_worst_image_counts() -> None:
    found = meter(0.3)
    around = framed(breast())
    made = np.where(around.breast, np.float32(0.3), np.float32(0))
    found.add(around, made, made)
    assert found.measurements()["unsureness"] == pytest.approx(0.3, abs=1e-3)


def test_limits_stand_beside_the_figures() -> None:
    measured = meter().measurements()
    assert measured["amber_input_distance"] == 1.0
    assert measured["red_input_distance"] == 2.0
    assert "input_distance" not in measured


def test_a_calibration_of_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot be read"):
        read_calibration(tmp_path)
    (tmp_path / "calibration.json").write_text(json.dumps({"features": ["size"]}))
    with pytest.raises(CardError, match="make it again"):
        read_calibration(tmp_path)
