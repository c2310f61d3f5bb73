from __future__ import annotations

import pytest
import torch

from trainers.losses.replay import ReplayBuffer


def numbered(step: int) -> torch.Tensor:
    return torch.full((2, 1, 2, 2), float(step))


def test_a_filling_buffer_hands_back_what_came() -> None:
    buffer = ReplayBuffer(capacity=4)
    (out,) = buffer.exchange(numbered(1))
    torch.testing.assert_close(out, numbered(1))
    assert len(buffer) == 2


def test_a_full_buffer_mixes_in_earlier_samples_and_stays_full() -> None:
    buffer = ReplayBuffer(capacity=6, seed=3)
    outs = [buffer.exchange(numbered(step))[0] for step in range(60)]
    late = torch.stack(outs[10:])
    fresh = late == torch.arange(10.0, 60).view(-1, 1, 1, 1, 1)
    assert 0.3 < fresh.float().mean() < 0.7
    assert len(buffer) == 6


def test_partners_stay_together() -> None:
    buffer = ReplayBuffer(capacity=3)
    for step in range(30):
        image, label = buffer.exchange(numbered(step), -numbered(step))
        torch.testing.assert_close(image, -label)


def test_nothing_is_kept_at_capacity_0() -> None:
    buffer = ReplayBuffer(capacity=0)
    for step in range(5):
        torch.testing.assert_close(buffer.exchange(numbered(step))[0], numbered(step))
    assert len(buffer) == 0


def test_kept_samples_have_no_graph_and_do_not_change_later() -> None:
    buffer = ReplayBuffer(capacity=2)
    image = torch.zeros(2, 1, 2, 2, requires_grad=True)
    (out,) = buffer.exchange(image * 1)
    assert not out.requires_grad
    batch = numbered(1)
    buffer = ReplayBuffer(capacity=2)
    buffer.exchange(batch)
    batch.zero_()
    assert all((sample[0] == 1).all() for sample in buffer._samples)


def test_negative_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more, got -1"):
        ReplayBuffer(-1)
