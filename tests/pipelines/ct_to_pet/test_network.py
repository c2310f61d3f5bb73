"""The networks: shapes, folding, and no way for a patch to see another's place."""

from __future__ import annotations

import torch

from pipelines.ct_to_pet.network import (
    GeneratedUptake,
    PatchGenerator,
    UptakeNetwork,
    folded,
    unfolded,
)


def test_folding_comes_back() -> None:
    value = torch.randn(2, 3, 4, 6, 8)
    assert torch.equal(unfolded(folded(value)), value)


def test_uptake_is_never_below_zero_and_of_the_same_shape() -> None:
    network = UptakeNetwork((8, 8))
    made = network(torch.randn(1, 3, 8, 12, 10))
    assert made.shape == (1, 1, 8, 12, 10)
    assert made.min() >= 0


def test_generator_is_the_published_one() -> None:
    generator = PatchGenerator(64, inputs=1)
    assert abs(sum(p.numel() for p in generator.parameters()) / 1e6 - 66.6) < 1.0
    small = PatchGenerator(4)
    made = small(torch.randn(2, 3, 32, 32, 32))
    assert made.shape == (2, 1, 32, 32, 32)
    assert made.abs().max() <= 1


def test_generated_uptake_is_cut_at_zero() -> None:
    made = GeneratedUptake(4)(torch.randn(1, 3, 32, 32, 32))
    assert made.min() >= 0
    assert made.max() <= 20
