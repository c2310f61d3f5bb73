"""A small run of the library as a script: a line is fitted; started by tests, also by torchrun."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainers.training.feeding import Drawn
from trainers.training.learner import Learner
from trainers.training.run import Run
from trainers.training.settings import RunSettings, add_options, knob, settings_from


@dataclass(frozen=True)
class Settings(RunSettings):
    """Knobs of the toy."""

    steps: int = knob(12, "optimiser steps")
    save_every: int = knob(4, "steps between two reports")
    device: str = knob("cpu", "where")
    rate: float = knob(0.05, "learning rate")
    dropout: float = knob(0.2, "share of inputs left out: torch's own randomness")


class Line(nn.Module):
    """y = a x + b, of inputs some of which are dropped."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3) to (B, 1)."""
        made: Tensor = self.linear(self.dropout(x))
        return made


def draw(random: np.random.Generator) -> Drawn:
    """Four points of a plane."""
    x = random.standard_normal((4, 3)).astype(np.float32)
    return {"x": x, "y": x @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 0.25}


def learner_of(run: Run, settings: Settings) -> Learner:
    """The toy's network and optimiser."""
    network = Line(settings.dropout).to(run.device)
    adam = torch.optim.Adam(network.parameters(), settings.rate)
    return run.learner("line", network, adam, clip=5.0)


def train(run: Run, learner: Learner, stop_after: int | None = None) -> None:
    """The loop; `stop_after` ends it as a crash would."""
    line = learner.networks["line"]
    for batches in run.steps(draw):
        with learner.step(len(batches)) as backward:
            for batch in batches:
                with run.autocast():
                    made = line(batch["x"])
                loss = ((made.float() - batch["y"]) ** 2).mean()
                backward(loss)
                run.tell(loss=loss)
        if run.due:
            picture = torch.rand(2, 1, 8, 8)
            run.report(learner.weights(), score=score(learner), pictures={"noise": picture})
        if run.step == stop_after:
            return


@torch.no_grad()
def score(learner: Learner) -> float:
    """Error of the averaged line on fixed points."""
    fixed = draw(np.random.default_rng(5))
    made = learner.best("line")(torch.as_tensor(fixed["x"]))
    return float(((made - torch.as_tensor(fixed["y"])) ** 2).mean())


def main(argv: Sequence[str] | None = None) -> None:
    """Command line of the toy."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    add_options(parser, Settings)
    given = parser.parse_args(argv)
    settings = settings_from(given, Settings)
    with Run(settings, given.out) as run:
        learner = learner_of(run, settings)
        if given.resume:
            run.resume()
        train(run, learner)


if __name__ == "__main__":
    main()
