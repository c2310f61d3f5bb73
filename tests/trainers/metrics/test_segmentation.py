from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from trainers.metrics.measurement import MetricError
from trainers.metrics.segmentation import dice, hd95

Bools = npt.NDArray[np.bool_]


def block(start: int, side: int = 8, shape: tuple[int, int, int] = (20, 20, 20)) -> Bools:
    mask = np.zeros(shape, dtype=bool)
    mask[start : start + side, 4:12, 4:12] = True
    return mask


def test_known_overlap_and_distance() -> None:
    found = dice(block(2), block(5), "liver")
    assert found.value == pytest.approx(5 / 8)
    assert (found.mask, found.n) == ("liver", 512)
    distance = hd95(block(2), block(5), "liver", (2.5, 1, 1))
    assert distance.value == pytest.approx(3 * 2.5)
    assert distance.unit == "mm"


def test_the_same_mask() -> None:
    assert dice(block(2), block(2), "liver").value == 1
    assert hd95(block(2), block(2), "liver", (1, 1, 1)).value == 0


def test_one_stray_voxel_does_not_decide_hd95() -> None:
    stray = block(2)
    stray[19, 19, 19] = True
    assert hd95(block(2), stray, "liver", (1, 1, 1)).value == 0


def test_absent_structures() -> None:
    nothing = np.zeros((20, 20, 20), dtype=bool)
    assert math.isnan(dice(nothing, nothing, "liver").value)
    assert math.isnan(hd95(nothing, nothing, "liver", (1, 1, 1)).value)
    assert dice(block(2), nothing, "liver").value == 0
    assert dice(nothing, block(2), "liver").value == 0
    assert hd95(block(2), nothing, "liver", (1, 1, 1)).value == math.inf


def test_planes_work_too() -> None:
    assert dice(block(2)[5], block(2)[5], "liver").value == 1
    moved = np.roll(block(2)[5], 2, axis=1)
    assert hd95(block(2)[5], moved, "liver", (1, 0.5)).value == pytest.approx(1)


def brute_force(start: Bools, end: Bools, spacing: tuple[float, float]) -> float:
    """Directed HD95 by looking at every pair of pixels."""

    def surface(mask: Bools) -> npt.NDArray[np.float64]:
        padded = np.pad(mask, 1)
        return np.array(
            [
                (row * spacing[0], column * spacing[1])
                for row, column in np.argwhere(mask)
                if not (
                    padded[row, column + 1]
                    and padded[row + 2, column + 1]
                    and padded[row + 1, column]
                    and padded[row + 1, column + 2]
                )
            ]
        )

    return float(np.percentile(cdist(surface(start), surface(end)).min(1), 95))


@settings(max_examples=30, deadline=None)
@given(*[arrays(np.bool_, (7, 8), elements=st.booleans(), fill=st.just(True)).filter(np.any)] * 2)
def test_agrees_with_brute_force(first: Bools, second: Bools) -> None:
    spacing = (1.5, 0.7)
    wanted = max(brute_force(first, second, spacing), brute_force(second, first, spacing))
    assert hd95(first, second, "x", spacing).value == pytest.approx(wanted)


def test_only_surfaces_count() -> None:
    full = np.ones((7, 8), dtype=bool)
    dot = np.zeros((7, 8), dtype=bool)
    dot[3, 3] = True
    wanted = max(brute_force(full, dot, (1, 1)), brute_force(dot, full, (1, 1)))
    assert hd95(full, dot, "x", (1, 1)).value == pytest.approx(wanted)
    assert hd95(dot, full, "x", (1, 1)).value == pytest.approx(wanted)
    inner = np.zeros((7, 8), dtype=bool)
    inner[2:5, 2:6] = True
    assert hd95(full, inner, "x", (1, 1)).value == pytest.approx(np.sqrt(8))


@settings(max_examples=20, deadline=None)
@given(*[arrays(np.bool_, (6, 6), elements=st.booleans()).filter(np.any)] * 2)
def test_symmetry_and_bounds(first: Bools, second: Bools) -> None:
    overlap, distance = dice(first, second, "x").value, hd95(first, second, "x", (1, 1)).value
    wanted = 2 * (first & second).sum() / (first.sum() + second.sum())
    assert overlap == pytest.approx(wanted)
    assert distance == pytest.approx(hd95(second, first, "x", (1, 1)).value)
    assert 0 <= distance <= 5 * math.sqrt(2) + 1e-6


def test_mismatches_are_refused() -> None:
    with pytest.raises(MetricError, match="one shape"):
        dice(block(2), block(2)[1:], "liver")
    with pytest.raises(MetricError, match="One spacing an axis"):
        hd95(block(2), block(2), "liver", (1, 1))
