from __future__ import annotations

import torch
from torch import nn

from trainers.training.averaging import averaged_copy, follow


def test_the_average_follows_quickly_at_first_and_slowly_later() -> None:
    network = nn.Linear(1, 1)
    averaged = averaged_copy(network)
    with torch.no_grad():
        averaged.weight.fill_(0.0)  # type: ignore[operator, union-attr]
        network.weight.fill_(1.0)
    follow(averaged, network, 0.999, 0)
    torch.testing.assert_close(averaged.weight.detach(), torch.tensor([[0.9]]))  # type: ignore[operator]
    before = averaged.weight.detach().clone()  # type: ignore[operator]
    follow(averaged, network, 0.999, 10**6)
    torch.testing.assert_close(averaged.weight.detach(), before + 0.001 * (1 - before))  # type: ignore[operator]


def test_buffers_are_taken_over_and_nothing_learns() -> None:
    network = nn.BatchNorm1d(2)
    averaged = averaged_copy(network)
    network(torch.randn(8, 2) + 3)
    follow(averaged, network, 0.5, 3)
    assert torch.equal(averaged.running_mean, network.running_mean)  # type: ignore[arg-type]
    assert not averaged.training
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
