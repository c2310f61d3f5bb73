from __future__ import annotations

import pytest
import torch

from trainers.losses.cycle import cycle_loss, identity_loss


def test_perfect_round_trip_costs_nothing() -> None:
    images = [torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8)]
    assert cycle_loss(images, images).item() == 0
    assert identity_loss(images[0], images[0]).item() == 0


def test_modalities_count_the_same_whatever_their_size() -> None:
    small, large = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 20, 20)
    assert cycle_loss([small + 1, large + 3], [small, large]).item() == pytest.approx(2)


def test_mismatches_are_refused() -> None:
    image = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="got 1 and 2"):
        cycle_loss([image], [image, image])
    with pytest.raises(ValueError, match="at least one, got 0 and 0"):
        cycle_loss([], [])
    with pytest.raises(ValueError, match="one shape"):
        identity_loss(image, image.expand(1, 2, 4, 4))
