from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cesm_vce.framing import SIZE, framed
from tests.mammograms import breast
from trainers.cesm.pairs import (
    Pairs,
    draw_batch,
    framed_pairs,
    load,
    read_source,
    save,
    seen_of,
    varied,
)
from trainers.readers.cdd_cesm import MammogramPair
from trainers.training.errors import SourceError


def some_pairs(count: int = 2) -> Pairs:
    pairs = []
    for index in range(count):
        low = breast(160, 96, "LR"[index % 2])
        lesions = np.zeros(low.shape, bool)
        lesions[70:80, 40:50] = True
        pair = MammogramPair(f"p{index}", f"P{index}", low, low * 0.5, lesions)
        pairs.append((pair, low * 0.1))
    return framed_pairs(pairs)


def test_pairs_are_put_into_the_square_together() -> None:
    pairs = some_pairs()
    assert pairs.low.shape == (2, SIZE, SIZE)
    np.testing.assert_allclose(pairs.recombined, pairs.low * 0.5, atol=1e-6)
    np.testing.assert_allclose(pairs.enhancement, pairs.low * 0.1, atol=1e-6)
    assert pairs.lesions[0].sum() > 0
    assert len(pairs) == 2


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    pairs = some_pairs()
    save(pairs, tmp_path / "a" / "pairs.npz")
    again = load(tmp_path / "a" / "pairs.npz", share=0.25)
    assert (again.names, again.patients, again.share) == (pairs.names, pairs.patients, 0.25)
    np.testing.assert_allclose(again.low, pairs.low, atol=1e-3)


def test_simulated_pairs_are_made_once(tmp_path: Path) -> None:
    first = read_source("simulated:2@0.5", tmp_path, seed=5)
    assert first.share == 0.5
    (file,) = tmp_path.glob("*.npz")
    before = file.stat().st_mtime_ns
    again = read_source("simulated:2", tmp_path, seed=5)
    np.testing.assert_array_equal(first.low, again.low)
    assert file.stat().st_mtime_ns == before
    null = read_source("null:2", tmp_path, seed=5)
    assert not np.array_equal(null.enhancement, first.enhancement)
    alike = np.corrcoef(null.low[0].ravel(), first.low[0].ravel())[0, 1]
    assert alike > 0.95  # the same breasts


def test_an_excerpt_is_a_source_and_patients_can_be_held_out(tmp_path: Path) -> None:
    both = np.zeros((128, 160, 3), np.uint8)
    both[..., :80, 0] = both[..., 80:, 1] = (breast(128, 80) * 200).astype(np.uint8)
    for name in ("P1_L_CC", "P2_L_CC"):
        Image.fromarray(both).save(tmp_path / f"{name}.png")
    pairs = read_source(f"excerpt:{tmp_path}@0.3", tmp_path)
    assert pairs.patients == ("P1", "P2")
    assert pairs.of(["P1"]).names == ("P1_L_CC",)
    assert pairs.of(["P1"], without=True).patients == ("P2",)
    assert pairs.of(["P1"]).share == 0.3


def test_another_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="simulated:, null:"):
        read_source("dicom:/x", tmp_path)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("simulated:x", "A whole number of 1 or more is wanted, as in simulated:700; got"),
        ("simulated:0", "A whole number of 1 or more"),
        ("null", "A whole number of 1 or more is wanted, as in null"),
        ("simulated:2@much", "A weight is a number above 0, as in simulated:2@0.5"),
        ("simulated:2@0", "A weight is a number above 0"),
        ("simulated:2@-1", "A weight is a number above 0"),
        ("simulated:2@nan", "A weight is a number above 0"),
    ],
)
def test_a_count_or_a_weight_that_is_none_is_refused(
    tmp_path: Path, source: str, wanted: str
) -> None:
    with pytest.raises(SourceError, match=wanted):
        read_source(source, tmp_path)


@pytest.mark.parametrize("kind", ["cdd", "excerpt"])
def test_a_source_without_a_pair_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceError, match=f"none was found in {kind}:"):
        read_source(f"{kind}:{tmp_path}", tmp_path)


def test_training_sees_what_serving_sees() -> None:
    low = some_pairs().low[0]
    np.testing.assert_allclose(seen_of(low), framed(low).seen, atol=0.03)
    assert np.abs(seen_of(low) - framed(low).seen).mean() < 1e-3


def test_batches_depend_on_the_seed_alone() -> None:
    pairs = some_pairs()
    first, again = (draw_batch([pairs], 3, np.random.default_rng(1)) for _ in range(2))
    other = draw_batch([pairs], 3, np.random.default_rng(2))
    assert {name: value.shape for name, value in first.items()} == dict.fromkeys(
        ("seen", "wanted", "lesions"), (3, 1, SIZE, SIZE)
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert not np.array_equal(first["seen"], other["seen"])


def test_a_source_without_share_is_not_drawn() -> None:
    pairs, bright = some_pairs(), some_pairs()
    bright = replace(bright, recombined=bright.recombined * 0 + 1, share=1.0)
    silent = replace(pairs, share=0.0)
    batch = draw_batch([silent, bright], 4, np.random.default_rng(0))
    assert batch["wanted"].max() == 1.0
    assert batch["wanted"].mean() > 0.5


def test_both_images_are_varied_alike() -> None:
    pairs = some_pairs()
    for seed in range(8):
        seen, wanted, _ = varied(pairs, 0, np.random.default_rng(seed))
        inside = (seen > 0) & (wanted > 0)
        assert np.corrcoef(seen[inside], wanted[inside])[0, 1] > 0.8


def test_unpaired_batches_mix_the_images() -> None:
    pairs = some_pairs(2)
    batch = draw_batch([pairs], 16, np.random.default_rng(0), paired=False)
    overlap = [
        np.corrcoef(a.ravel() > 0, b.ravel() > 0)[0, 1]
        for a, b in zip(batch["seen"], batch["wanted"], strict=True)
    ]
    assert min(overlap) < 0.5  # left beside right


def test_smaller_squares_hold_the_same_breast() -> None:
    pairs = some_pairs()
    small = pairs.shrunk(64)
    assert small.side == 64
    assert small.names == pairs.names
    np.testing.assert_allclose(small.recombined.mean(), pairs.recombined.mean(), rtol=1e-4)
    assert small.lesions.max() <= 1
    assert pairs.shrunk(SIZE) is pairs
    seen, wanted, _ = varied(small, 0, np.random.default_rng(0), 64)
    assert seen.shape == wanted.shape == (64, 64)
    assert varied(small, 0, np.random.default_rng(0), 32)[0].shape == (32, 32)
