"""Patches of pairs: the same for the same numbers, of the scan, and no larger than they must be."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.ct_to_pet.network import AIR
from trainers.ct_pet.bank import Bank
from trainers.ct_pet.patches import Cutting, draw_patches, labels_of
from trainers.readers.ct_pet import CubePair


def pair(shape: tuple[int, int, int] = (40, 40, 40), lesion: bool = True) -> CubePair:
    """Legs below a trunk, with a hot spot."""
    random = np.random.default_rng(0)
    body = np.zeros(shape, np.bool_)
    body[:, 4:-4, 4:-4] = True
    hu = np.where(body, 0.05, -1.0)
    seen = np.stack([hu, np.where(body, 0.3, -2.2), np.where(body, 0.2, 0.0)]).astype(np.float16)
    suv = np.where(body, 0.7 + 0.01 * random.random(shape), 0.0).astype(np.float16)
    spot = np.zeros(shape, np.bool_)
    spot[tuple(slice(n // 2 - 3, n // 2 + 3) for n in shape)] = lesion
    suv[spot] = 5.0
    districts = np.where(np.arange(shape[0])[:, None, None] < shape[0] // 2, 1, 2) * body
    return CubePair("a", seen, suv, body, spot, districts.astype(np.uint8))


def bank(*pairs: CubePair) -> Bank:
    """Pairs of equal shares."""
    return Bank(pairs, np.full(len(pairs), 1 / len(pairs)))


def test_patches_are_the_same_for_the_same_numbers() -> None:
    one, other = (
        draw_patches(bank(pair()), Cutting("legs", 16), 2, np.random.default_rng(3))
        for _ in range(2)
    )
    assert one["seen"].shape == (2, 3, 16, 16, 16)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert one["weight"].max() == pytest.approx(1, abs=1e-3)


def test_patches_are_of_the_scan_even_where_it_is_cut_short() -> None:
    whole, short = (
        draw_patches(bank(pair()), Cutting("all", 32, 0, cut), 8, np.random.default_rng(3))[
            "weight"
        ]
        for cut in (0, 1)
    )
    shown = [(patches > 0).mean(axis=(1, 2, 3, 4)) for patches in (whole, short)]
    assert shown[0].min() > 0.8, "a patch lies in the scan where it can"
    assert shown[1].mean() < 0.8 * shown[0].mean()
    assert shown[1].min() > 0, "the place that was drawn is always shown"


def test_a_patch_is_as_long_as_its_scan_where_the_network_lets_it() -> None:
    small = bank(pair((20, 40, 70)))
    free = draw_patches(small, Cutting("all", 64, 16), 1, np.random.default_rng(0))
    assert free["seen"].shape == (1, 3, 32, 48, 64)
    fixed = draw_patches(small, Cutting("all", 32), 1, np.random.default_rng(0))
    assert fixed["seen"].shape == (1, 3, 32, 32, 32)


def test_patches_of_one_batch_are_of_one_size() -> None:
    mixed = bank(pair((20, 40, 40)), pair((60, 40, 40)))
    drawn = [
        draw_patches(mixed, Cutting("all", 64, 16), 3, np.random.default_rng(seed))["suv"].shape[2]
        for seed in range(12)
    ]
    assert set(drawn) == {32, 64}, "long ones are not drawn beside short ones, but both are"


def test_beyond_the_scan_there_is_air_that_counts_nothing() -> None:
    drawn = draw_patches(bank(pair((8, 40, 40))), Cutting("all", 48), 4, np.random.default_rng(1))
    beyond = drawn["weight"][:, 0] == 0
    assert beyond.mean() > 0.5
    for channel, air in enumerate(AIR):
        assert np.allclose(drawn["seen"][:, channel][beyond], air, atol=0.05)
    assert not drawn["suv"][:, 0][beyond].any()


def test_lesions_count_where_they_were_outlined() -> None:
    cutting = Cutting("all", 32)
    marked = draw_patches(bank(pair()), cutting, 4, np.random.default_rng(2))
    assert marked["lesion"].max() == pytest.approx(1)
    assert (marked["suv"][marked["lesion"] > 0.99] > 4.9).all(), "they move with the uptake"
    assert marked["outlined"].max() == pytest.approx(1)
    unmarked = draw_patches(bank(pair(lesion=False)), cutting, 4, np.random.default_rng(2))
    assert not unmarked["outlined"].any()


def test_districts_join() -> None:
    assert labels_of("all") is None
    assert labels_of("legs+trunk") == [1, 2]
    with pytest.raises(KeyError):
        labels_of("tail")
    shares = [
        (
            draw_patches(bank(pair()), Cutting(name, 40), 4, np.random.default_rng(5))["weight"]
            > 0.5
        ).mean()
        for name in ("legs", "legs+trunk", "all")
    ]
    assert shares[0] < 0.75 * shares[1]
    assert shares[1] == pytest.approx(shares[2])
