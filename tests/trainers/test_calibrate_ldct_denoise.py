from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.ldct_denoise.quality import read_calibration
from tests.synthetic import write_ct_series
from tests.trainers.phantom_series import phantom_series, write_nifti
from trainers import calibrate_ldct_denoise
from trainers.calibrate_ldct_denoise import calibrate, ramp_noise, read_source
from trainers.simulation.noise_calibration import CalibrationError


def test_added_noise_has_the_deviation_asked_for_and_the_spectrum_of_a_ramp() -> None:
    noise = ramp_noise((256, 256), 40.0, 1.0, np.random.default_rng(0))
    assert noise.std() == pytest.approx(40, rel=1e-3)
    power = np.abs(np.fft.rfft2(noise)[0, :]) ** 2
    assert power[1:8].mean() < 0.3 * power[40:60].mean(), "little at low frequencies"


def test_a_calibration_is_made_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = []
    for seed in range(2):
        folder = tmp_path / f"source{seed}"
        write_ct_series(folder, slices=9, rows=96, columns=96, seed=seed)
        sources.append(str(folder))
    out = tmp_path / "calibration.json"
    monkeypatch.setattr(sys, "argv", ["calibrate", str(out), *sources])
    calibrate_ldct_denoise.main()
    values = json.loads(out.read_text())
    assert values["sources"] == {"source0": 1, "source1": 1}
    assert 0 < values["amber_distance"] < values["red_distance"]
    known = read_calibration(tmp_path).known
    assert known.distance(known.centre) == 0
    np.testing.assert_allclose(known.precision, known.precision.T, atol=1e-4)


def test_one_volume_cannot_be_held_against_others(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "one", slices=9, rows=96, columns=96)
    with pytest.raises(CalibrationError, match="Two volumes at least are wanted"):
        calibrate([tmp_path / "one"])


def test_nifti_files_are_a_source_whatever_they_are_called(tmp_path: Path) -> None:
    paths = [write_nifti(phantom_series(3, name=name), tmp_path) for name in ("p1", "p2")]
    assert len(read_source(tmp_path)) == 2
    assert len(read_source(paths[0])) == 1
    write_nifti(phantom_series(3, name="p3_CT"), tmp_path)
    assert len(read_source(tmp_path)) == 1
