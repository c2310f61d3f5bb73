"""Does the virtual paired loss help an unpaired CycleGAN? A toy experiment with known truth.

    python -m tests.trainers.losses.virtual_pair_experiment --seeds 5

It trains three denoisers a seed, about half a minute on an idle core; `test_virtual_pair` runs the
first seed. Phantoms are random disks, low dose is added noise; the answer is the RMSE to the clean
phantom. Expected: cycle > cycle with virtual pairs > paired.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from trainers.losses.adversarial import adversarial_game
from trainers.losses.cycle import cycle_loss, identity_loss
from trainers.losses.replay import ReplayBuffer
from trainers.losses.virtual_pair import VirtualPairedLoss, ramped_weight

SIZE, BATCH, SIGMA = 20, 8, 0.25
GAME = adversarial_game("lsgan")


class Generator(nn.Module):
    """Three convolutions round a skip; a second channel may hold noise to draw on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 12, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 1, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = image[:, :1] + self.layers(image)
        return result


def discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(12, 24, 3, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(24, 1, 3, padding=1),
    )


def phantoms(count: int, source: torch.Generator) -> Tensor:
    """Three disks each, (count, 1, SIZE, SIZE)."""
    line = torch.linspace(-1, 1, SIZE)
    images = torch.zeros(count, 1, SIZE, SIZE)
    for _ in range(3):
        centre = torch.rand(count, 2, 1, 1, generator=source) * 1.6 - 0.8
        radius = torch.rand(count, 1, 1, generator=source) * 0.4 + 0.15
        value = torch.rand(count, 1, 1, generator=source) - 0.5
        squares = (line[:, None] - centre[:, 0]) ** 2 + (line[None, :] - centre[:, 1]) ** 2
        images[:, 0] += value * (squares < radius**2)
    return images


class Trial:
    """One training run: "cycle", "virtual" (cycle with virtual pairs) or "paired"."""

    def __init__(self, kind: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.kind = kind
        self.source = torch.Generator().manual_seed(seed)
        self.denoise, self.degrade = Generator(1), Generator(2)
        self.judge_low, self.judge_full = discriminator(), discriminator()
        self.virtual = VirtualPairedLoss(buffer=ReplayBuffer(50, seed))
        makers = [*self.denoise.parameters(), *self.degrade.parameters()]
        judges = [*self.judge_low.parameters(), *self.judge_full.parameters()]
        self.makers = torch.optim.Adam(makers, 3e-3, (0.5, 0.999))
        self.judges = torch.optim.Adam(judges, 3e-3, (0.5, 0.999))

    def noise(self, count: int = BATCH) -> Tensor:
        return torch.randn(count, 1, SIZE, SIZE, generator=self.source)

    def step(self, number: int) -> None:
        clean = phantoms(BATCH, self.source)
        low = clean + SIGMA * self.noise()
        if self.kind == "paired":
            self._descend(self.makers, (self.denoise(low) - clean).abs().mean())
            return
        full = phantoms(BATCH, self.source)
        made_low = self.degrade(torch.cat([full, self.noise()], 1))
        made_full = self.denoise(low)
        again_low = self.degrade(torch.cat([made_full, self.noise()], 1))
        loss = (
            GAME.generator(self.judge_low(made_low))
            + GAME.generator(self.judge_full(made_full))
            + 10 * cycle_loss([again_low, self.denoise(made_low)], [low, full])
            + 5 * identity_loss(self.denoise(full), full)
        )
        if self.kind == "virtual":
            weight = ramped_weight(number, warm_up=50, ramp=50)
            loss = loss + weight * self.virtual(self.denoise, made_low, full)
        self._descend(self.makers, loss)
        made_low, made_full = made_low.detach(), made_full.detach()
        game = GAME.discriminator(self.judge_low(low), self.judge_low(made_low))
        game = game + GAME.discriminator(self.judge_full(full), self.judge_full(made_full))
        self._descend(self.judges, game)

    @staticmethod
    def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def rmse(self) -> float:
        source = torch.Generator().manual_seed(999)
        clean = phantoms(64, source)
        low = clean + SIGMA * torch.randn(clean.shape, generator=source)
        return float((self.denoise(low) - clean).square().mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(arguments.seeds):
        found = {}
        for kind in ("cycle", "virtual", "paired"):
            trial = Trial(kind, seed)
            for number in range(arguments.steps):
                trial.step(number)
            found[kind] = round(trial.rmse(), 4)
        print(seed, found)


if __name__ == "__main__":
    main()
