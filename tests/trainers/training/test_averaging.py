from __future__ import annotations

import torch
from torch import nn

from trainers.training.averaging import averaged_copy, follow


def test_the_average_follows_quickly_at_first_and_slowly_later() -> None:
    network = nn.Linear(1, 1)
    averaged = averaged_copy(network)
    with torch.no_grad():
        averaged.weight.fill_(0.0)
        network.weight.fill_(1.0)
    follow(averaged, network, 0.999, 0)
    torch.testing.assert_close(averaged.weight.detach(), torch.tensor([[0.9]]))
    before = averaged.weight.detach().clone()
    follow(averaged, network, 0.999, 10**6)
    torch.testing.assert_close(averaged.weight.detach(), before + 0.001 * (1 - before))


def test_buffers_are_taken_over_and_nothing_learns() -> None:
    network = nn.BatchNorm1d(2)
    averaged = averaged_copy(network)
    network(torch.randn(8, 2) + 3)
    follow(averaged, network, 0.5, 3)
    buffers = [dict(one.named_buffers()) for one in (averaged, network)]
    torch.testing.assert_close(*buffers, rtol=0, atol=0)
    assert not averaged.training
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
