from __future__ import annotations

import itertools

import pytest
import torch

from trainers.training.randomness import random_of, seed_torch, set_determinism


def test_every_process_step_and_part_draws_something_of_its_own() -> None:
    places = list(itertools.product((1, 2), (0, 1), (0, 1, 7), (0, 1, 2)))
    drawn = {place: random_of(*place).random() for place in places}
    assert len(set(drawn.values())) == len(places)
    assert all(random_of(*place).random() == value for place, value in drawn.items())


def test_torch_draws_by_the_step() -> None:
    def drawn(seed: int, rank: int, step: int) -> float:
        seed_torch(seed, rank, step)
        return float(torch.rand(()))

    assert drawn(1, 0, 5) == drawn(1, 0, 5)
    assert len({drawn(1, 0, 5), drawn(1, 0, 6), drawn(1, 1, 5), drawn(2, 0, 5)}) == 4


def test_deterministic_mode_refuses_what_has_no_deterministic_algorithm() -> None:
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    set_determinism(True)
    try:
        assert torch.are_deterministic_algorithms_enabled()
        grid = torch.rand(1, 4, 4, 2)
        torch.nn.functional.grid_sample(image, grid, align_corners=False).sum().backward()
        with pytest.raises(RuntimeError, match="deterministic"):
            torch.empty(2, 2).put_(torch.tensor([0]), torch.tensor([1.0]), accumulate=False)
    finally:
        set_determinism(False)
    assert not torch.are_deterministic_algorithms_enabled()
