from __future__ import annotations

import pytest
import torch

from trainers.losses.texture_aggregation import AGGREGATIONS, AttentionAggregation


def test_known_grids() -> None:
    grid = torch.zeros(2, 4, 4)
    grid[0, 0, 0], grid[0, 3, 3], grid[1, 1, 2] = 3.0, 4.0, 1.0
    assert AGGREGATIONS["max"](grid).item() == pytest.approx((4 + 1) / 2)
    assert AGGREGATIONS["mean"](grid).item() == pytest.approx(8 / 32)
    assert AGGREGATIONS["frobenius"](grid).item() == pytest.approx((5 + 1) / 2)


def test_attention_keeps_the_size_of_the_error() -> None:
    attention = AttentionAggregation()
    grid = torch.rand(2, 4, 4)
    attention(grid)
    attention.eval()
    with torch.no_grad():
        attention.query.fill_(0.0)  # equal attention, so that the sum is linear
    assert attention(0.1 * grid).item() == pytest.approx(0.1 * attention(grid).item(), rel=1e-5)


def test_training_attention_alone_cannot_reach_zero() -> None:
    attention = AttentionAggregation()
    grid = torch.rand(2, 4, 4) + 0.1
    optimiser = torch.optim.Adam(attention.parameters(), lr=0.5)
    for _ in range(25):
        optimiser.zero_grad()
        attention(grid).backward()
        optimiser.step()
    plain = (grid / attention.scale).flatten(1).sum(1).mean().item()
    assert attention(grid).item() >= plain


def test_running_scale_follows_the_errors_down_slowly() -> None:
    attention = AttentionAggregation(decay=0.5)
    attention(torch.full((1, 4, 4), 8.0))
    assert attention.scale.item() == 8
    attention(torch.full((1, 4, 4), 1.0))
    assert attention.scale.item() == 4
    attention.eval()
    attention(torch.full((1, 4, 4), 100.0))
    assert attention.scale.item() == 4
