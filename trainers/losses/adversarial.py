"""What generator and discriminator play for: LSGAN, BCE or WGAN.

`scores` are a discriminator's raw outputs of any shape (a patch discriminator's map too), without
a sigmoid. WGAN wants `gradient_penalty` beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor


@dataclass(frozen=True)
class Game:
    """The two sides of an adversarial game; both are minimised.

    Attributes:
        discriminator: loss of (scores of real images, scores of fake images).
        generator: loss of (scores of fake images).
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Half the squared distances to 1 and 0 (Mao et al. 2017)."""
    return 0.5 * (((real - 1) ** 2).mean() + (fake**2).mean())


def _lsgan_generator(fake: Tensor) -> Tensor:
    """Squared distance to 1."""
    return ((fake - 1) ** 2).mean()


def _bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Mean cross entropy of both kinds."""
    wanted_real = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    wanted_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return 0.5 * (wanted_real + wanted_fake)


def _bce_generator(fake: Tensor) -> Tensor:
    """Cross entropy against "real": the non-saturating form."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def _wgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the estimated Wasserstein distance."""
    return fake.mean() - real.mean()


def _wgan_generator(fake: Tensor) -> Tensor:
    """Minus the critic's score."""
    return -fake.mean()


GAMES: Final[dict[str, Game]] = {
    "lsgan": Game(_lsgan_discriminator, _lsgan_generator),
    "bce": Game(_bce_discriminator, _bce_generator),
    "wgan": Game(_wgan_discriminator, _wgan_generator),
}
"""The games by name."""


def adversarial_game(name: str) -> Game:
    """The game called `name`: "lsgan", "bce" or "wgan"."""
    if name not in GAMES:
        raise ValueError(f"An adversarial loss is one of {', '.join(GAMES)}, got {name!r}.")
    return GAMES[name]
