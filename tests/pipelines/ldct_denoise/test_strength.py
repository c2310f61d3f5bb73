from __future__ import annotations

import numpy as np
import pytest

from pipelines.ldct_denoise.strength import blend, effective_strength


@pytest.mark.parametrize(
    ("strength", "dose_share", "wanted"),
    [(1, 0, 1), (1, 0.1, 1), (1, 0.25, 1), (1, 0.5, 0.7), (0.5, 0.5, 0.35), (1, 1, 0), (0, 0, 0)],
)
def test_less_is_removed_the_nearer_the_dose_is_to_the_usual_one(
    strength: float, dose_share: float, wanted: float
) -> None:
    assert effective_strength(strength, dose_share) == pytest.approx(wanted)


def test_a_blend_is_exact_at_its_ends() -> None:
    before = np.array([[0.1, 5000.3]], np.float32)
    after = np.array([[7.7, -1000.1]], np.float32)
    assert blend(before, after, 0.0) is before
    assert blend(before, after, 1.0) is after
    np.testing.assert_allclose(blend(before, after, 0.25), 0.75 * before + 0.25 * after, rtol=1e-6)
