from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.mr_to_ct.scaling import BRIGHTEST, bright_end, scaled, to_hu


def body(scale: float) -> list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    """Slices of half background, half body of values between 0.2 and 1."""
    random = np.random.default_rng(0)
    image = random.uniform(0, 0.02, (60, 60))
    image[15:45] = random.uniform(0.2, 1.0, (30, 60))
    return [(scale * image).astype(np.float32)] * 3


@pytest.mark.parametrize("scale", [1.0, 1000.0, 1e-3])
def test_the_same_body_scales_alike_in_any_unit(scale: float) -> None:
    assert bright_end(body(scale)) == pytest.approx(scale * bright_end(body(1.0)), rel=1e-4)
    assert bright_end(body(scale)) == pytest.approx(scale, rel=0.03)


def test_more_background_changes_little() -> None:
    wide = [np.pad(image, 100) for image in body(1.0)]
    assert bright_end(wide) == pytest.approx(bright_end(body(1.0)), rel=0.05)


def test_nothing_has_no_bright_end() -> None:
    assert bright_end([]) == 0.0
    assert bright_end([np.zeros((9, 9), np.float32)]) == 0.0


def test_values_are_bounded() -> None:
    image = scaled(np.array([[-5.0, 50.0, 1e6]], np.float32), 100.0)
    assert image.tolist() == [[0.0, 0.5, BRIGHTEST]]


def test_output_is_hu() -> None:
    assert to_hu(torch.tensor([-9.0, 0.0, 0.1, 9.0])).tolist() == [-1024.0, 0.0, 50.0, 3071.0]
