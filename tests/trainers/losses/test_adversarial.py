from __future__ import annotations

import math

import pytest
import torch

from trainers.losses.adversarial import GAMES, adversarial_game

ONES, ZEROS = torch.ones(2, 1, 6, 6), torch.zeros(2, 1, 6, 6)


def test_lsgan_is_0_where_each_side_has_won() -> None:
    game = adversarial_game("lsgan")
    assert game.discriminator(ONES, ZEROS).item() == 0
    assert game.generator(ONES).item() == 0
    assert game.discriminator(ZEROS, ONES).item() == 1
    assert game.generator(ZEROS).item() == 1


def test_bce_is_ln_2_for_a_discriminator_that_cannot_tell() -> None:
    game = adversarial_game("bce")
    assert game.discriminator(ZEROS, ZEROS).item() == pytest.approx(math.log(2))
    assert game.generator(ZEROS).item() == pytest.approx(math.log(2))
    assert game.discriminator(50 * ONES, -50 * ONES).item() == pytest.approx(0, abs=1e-9)


def test_wgan_is_the_difference_of_means() -> None:
    game = adversarial_game("wgan")
    assert game.discriminator(3 * ONES, ONES).item() == -2
    assert game.generator(3 * ONES).item() == -3


@pytest.mark.parametrize("name", GAMES)
def test_the_generator_wants_higher_scores_and_the_discriminator_lower(name: str) -> None:
    game = GAMES[name]
    scores = torch.full((4,), 0.5, requires_grad=True)
    (wanted,) = torch.autograd.grad(game.generator(scores), scores)
    (unwanted,) = torch.autograd.grad(game.discriminator(torch.ones(4), scores), scores)
    assert (wanted < 0).all()
    assert (unwanted > 0).all()


def test_unknown_game_is_refused() -> None:
    with pytest.raises(ValueError, match="one of lsgan, bce, wgan, got 'hinge'"):
        adversarial_game("hinge")
