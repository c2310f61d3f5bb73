from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from trainers.evaluation.denoisers import Image, unchanged
from trainers.evaluation.phantom import INSERTS, detectability, evaluate_phantom


@pytest.fixture(scope="module")
def phantom(shared_data: Path) -> Path:
    folder = shared_data / "ldct_phantom_lcd"
    if not folder.is_dir():
        pytest.skip("the low-contrast phantom is not among the development data")
    return folder


def blurred(stack: Image, sigma: float) -> Image:
    return np.asarray(ndimage.gaussian_filter(stack[1], 8.0))


def test_a_blurrer_is_seen_for_what_it_is(phantom: Path) -> None:
    given = evaluate_phantom(phantom, "input", unchanged, "010")
    blurry = evaluate_phantom(phantom, "blur", blurred, "010")
    assert blurry.noise_hu < 0.2 * given.noise_hu
    assert blurry.mean_frequency < 0.6 * given.mean_frequency
    assert blurry.detectability < given.detectability


def test_more_dose_shows_more(phantom: Path) -> None:
    low, full = (evaluate_phantom(phantom, "input", unchanged, dose) for dose in ("010", "100"))
    assert full.detectability > 1.5 * low.detectability
    assert abs(full.bias_hu) < 1e-6
    assert abs(low.bias_hu) < 3
    assert len(low.frequency) == len(low.power)


def test_detectability_grows_with_contrast() -> None:
    random = np.random.default_rng(0)
    absent, present = random.normal(0, 10, (2, 10, 256, 256)).astype(np.float32)
    disks = np.zeros((256, 256), np.float32)
    for row, column in INSERTS:
        down, right = np.mgrid[:256, :256]
        disks[np.hypot(down - row, right - column) < 5] = 1
    found = [detectability(absent, present + hu * disks)[0] for hu in (0, 5, 20)]
    assert found[0] < found[1] < found[2]
