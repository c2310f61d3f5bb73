from __future__ import annotations

import pytest
import torch

from trainers.losses.grid import grid_loss


def error_of(*even_rows_and_columns: float, side: int = 64) -> torch.Tensor:
    """Errors that are larger at every second row and column."""
    error = torch.zeros(2, 1, side, side)
    for value in even_rows_and_columns:
        error[..., ::2, ::2] += value
    return error


def test_an_even_or_slowly_changing_error_is_no_grid() -> None:
    assert grid_loss(torch.full((1, 1, 32, 32), 7.0), 4, 100.0) == pytest.approx(0.0)
    slope = torch.linspace(0, 10, 64).expand(1, 1, 64, 64)
    assert grid_loss(slope, 4, 100.0) < 0.25  # 10 over 64 pixels: 0.16 a pixel


def test_a_grid_counts_by_its_height() -> None:
    # a quarter of the places lie 4 - 1 above the mean, the others 1 below: (3 + 3 x 1) / 4
    assert grid_loss(error_of(4.0), 4, 100.0) == pytest.approx(1.5)
    assert grid_loss(error_of(8.0), 4, 100.0) == pytest.approx(3.0)
    assert grid_loss(error_of(8.0), 4, 4.0) == pytest.approx(1.5)
    assert grid_loss(error_of(4.0, side=8), 4, 100.0) == pytest.approx(1.5)


def test_chance_errors_are_averaged_away() -> None:
    chance = torch.randn(4, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    assert grid_loss(10 * chance, 4, 100.0) < 2.0


def test_going_down_the_loss_takes_the_grid_away() -> None:
    error = error_of(4.0).requires_grad_()
    grid_loss(error, 4, 100.0).backward()
    assert error.grad is not None
    assert (error.grad[..., ::2, ::2] > 0).all()
    assert (error.grad[..., 1::2, :] < 0).all()
