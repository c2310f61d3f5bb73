from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ldct_denoise.blocks import block_means, blocks


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 99))
def test_means_and_deviations_are_those_of_numpy(rows: int, columns: int, seed: int) -> None:
    image = np.random.default_rng(seed).normal(0, 100, (rows, columns)).astype(np.float32)
    seen = blocks(image)
    height, width = min(4, rows), min(4, columns)
    first = image[:height, :width].astype(np.float64)
    assert seen.mean.shape == (rows // height, columns // width)
    assert seen.mean[0, 0] == pytest.approx(first.mean(), abs=1e-3)
    assert seen.deviation[0, 0] == pytest.approx(first.std(), abs=0.1)
    np.testing.assert_allclose(block_means(image), seen.mean)


def test_large_images_are_cut_into_larger_blocks() -> None:
    assert blocks(np.zeros((128, 160), np.float32)).mean.shape == (16, 20)
    assert blocks(np.zeros((128, 127), np.float32)).mean.shape == (32, 31)


def test_a_block_that_touches_padding_is_not_valid() -> None:
    image = np.full((16, 16), 40.0, np.float32)
    image[3, 3] = -2000.0
    valid = blocks(image).valid
    assert not valid[0, 0]
    assert np.count_nonzero(valid) == 15


def test_tissues_go_by_their_mean() -> None:
    image = np.repeat(np.array([-1000, -700, -100, 40, 700, 5000], np.float32), 4)[None]
    seen = blocks(np.repeat(image, 4, axis=0))
    tissues = [np.flatnonzero(seen.of(name)) for name in ("air", "lung", "fat", "soft", "bone")]
    assert [list(places) for places in tissues] == [[0], [1], [2], [3], [4]]
    assert list(np.flatnonzero(seen.body)) == [2, 3, 4], "metal is no tissue"
