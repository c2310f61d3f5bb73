"""A run: its processes and device, its steps, its reports, its checkpoint. See the package."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn, optim

from trainers.training.board import Board
from trainers.training.checkpoint import (
    Stateful,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from trainers.training.errors import CheckpointError
from trainers.training.feeding import Batch, Drawn, fed
from trainers.training.learner import Learner
from trainers.training.precision import Precision
from trainers.training.processes import Processes
from trainers.training.randomness import random_of, seed_torch, set_determinism
from trainers.training.rates import Rate
from trainers.training.settings import RunSettings
from trainers.training.stopping import EarlyStopping

Draw: TypeAlias = Callable[[np.random.Generator], Drawn]
"""Draws one batch; called in threads, and decides everything random by the generator given."""

CHECKPOINT, WEIGHTS, BEST = "checkpoint.pt", "weights.safetensors", "best.safetensors"
"""Files in the folder of a run: to go on; the last weights; those with the best score."""

MAY_CHANGE = ("steps", "save_every", "patience", "device", "ahead", "drawers")
"""Knobs that may differ when a run goes on without changing what it would have computed."""


class Run:
    """One training run.

    Args:
        settings: its knobs.
        out: folder for checkpoint, weights and TensorBoard; made when it is not there.
        higher_is_better: of the score that reports give; false for an error.

    Attributes:
        facts: what the header of the weights says beside the steps.
    """

    def __init__(self, settings: RunSettings, out: Path, *, higher_is_better: bool = False) -> None:
        self.processes = Processes(settings.device)
        self.device = self.processes.device
        self.precision = Precision(settings.precision, self.device)
        self.settings, self.out, self.step = settings, out, 0
        self.facts: dict[str, str] = {}
        self.stopping = EarlyStopping(settings.patience, higher_is_better=higher_is_better)
        out.mkdir(parents=True, exist_ok=True)
        set_determinism(settings.deterministic)
        torch.manual_seed(settings.seed)
        self._kept: dict[str, Stateful] = {"stopping": self.stopping}
        self._told: dict[str, list[float | Tensor]] = {}
        self._board: Board | None = None
        self._from = 0
        self._replaces = True
        self._since = self._began = time.monotonic()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- before the first step ------------------------------------------------------------------

    def learner(
        self,
        name: str,
        networks: nn.Module | Mapping[str, nn.Module],
        optimiser: optim.Optimizer,
        *,
        rate: Rate | None = None,
        clip: float = 0.0,
        average: float | None = None,
    ) -> Learner:
        """Make a learner that the checkpoint keeps.

        Args:
            name: in the checkpoint.
            networks: on the run's device, by name; one alone is called as the learner is.
            optimiser: of their parameters.
            rate: learning rate of a step; None leaves the optimiser's own.
            clip: largest norm of the gradient; 0 does not clip.
            average: decay of the averaged weights; None takes the run's.
        """
        several = {name: networks} if isinstance(networks, nn.Module) else networks
        decay = self.settings.average if average is None else average
        where = self.processes, self.precision
        made = Learner(several, optimiser, *where, rate=rate, clip=clip, average=decay)
        self.keep(name, made)
        return made

    def keep(self, name: str, part: Stateful) -> None:
        """Let the checkpoint keep something else, a replay buffer say (the first process's)."""
        self._kept[name] = part

    def resume(self) -> None:
        """Go on from the checkpoint in the run's folder.

        Raises:
            CheckpointError: there is none, or it is of another run.
        """
        state = load_checkpoint(self.out / CHECKPOINT, self.device)
        try:
            for name, part in self._kept.items():
                part.load_state_dict(state["parts"][name])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"A checkpoint of this trainer and these networks is wanted in {self.out}, got "
                "another one; go on with the settings of that run, or train into another folder."
            ) from error
        self.step = self._from = int(state["step"])
        self._replaces = False
        now = asdict(self.settings)
        other = [
            f"{name} {before} -> {now[name]}"
            for name, before in state["settings"].items()
            if name in now and name not in MAY_CHANGE and now[name] != before
        ]
        if other:
            self.board.say(f"goes on with other settings: {', '.join(other)}")

    # --- the steps ------------------------------------------------------------------------------

    def steps(self, draw: Draw) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step, until the last step or until the score stands still.

        There are `accumulate` batches a step. `run.step` counts the step whose batches were given
        last. What `draw` draws depends on the seed, the process and the step alone.
        """
        settings, rank = self.settings, self.processes.rank

        def draw_step(step: int) -> list[Drawn]:
            parts = range(settings.accumulate)
            return [draw(random_of(settings.seed, rank, step, part)) for part in parts]

        left = range(self.step, settings.steps)
        self._since = time.monotonic()
        stream = fed(draw_step, left, self.device, ahead=settings.ahead, drawers=settings.drawers)
        for batches in stream:
            if self.stopping.over:
                break
            seed_torch(settings.seed, rank, self.step)
            self.step += 1
            self._began = time.monotonic()
            yield batches
            self.board.at(self.step)

    def autocast(self) -> torch.autocast:
        """The context in which networks are called; losses belong outside, in `float()`."""
        return self.precision.autocast()

    def tell(self, **values: float | Tensor) -> None:
        """Note numbers of this step; a report shows their means since the last one."""
        for name, value in values.items():
            kept = value.detach() if isinstance(value, Tensor) else value
            self._told.setdefault(name, []).append(kept)  # no .item(): it would stop a GPU

    @property
    def due(self) -> bool:
        """Whether this step ends with a report: call it in every process."""
        return self.step % self.settings.save_every == 0 or self.step == self.settings.steps

    # --- reports --------------------------------------------------------------------------------

    def report(
        self,
        weights: Mapping[str, Tensor],
        *,
        score: float | None = None,
        scalars: Mapping[str, float] | None = None,
        pictures: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Show where the run stands, keep weights and checkpoint, see whether it should stop.

        Args:
            weights: to ship, see `Learner.weights`.
            score: on held-out data, for early stopping and `best.safetensors`; only the
                first process needs to know it.
            scalars: further numbers for TensorBoard, by title.
            pictures: (B, 1 or 3, H, W) from 0 to 1, by title.
        """
        shown = self._means() | {"images_per_s": self._images_per_s()} | dict(scalars or {})
        best = False
        if self.processes.told_by_first(score is not None):
            agreed = self.processes.told_by_first(math.nan if score is None else score)
            shown["score"], best = agreed, self.stopping.better(agreed)
        self.board.scalars(shown, self.step)
        self.board.pictures(pictures or {}, self.step)
        self.save(weights, best=best)
        if self.stopping.over:
            self.board.say(f"stops: no better score in {self.stopping.waited} reports")
        self._since, self._from = time.monotonic(), self.step

    def save(self, weights: Mapping[str, Tensor], *, best: bool = False) -> None:
        """Write checkpoint and weights (first process), each whole or not at all."""
        if not self.processes.first:
            return
        state = {
            "step": self.step,
            "settings": asdict(self.settings),
            "parts": {name: part.state_dict() for name, part in self._kept.items()},
        }
        facts = {"steps": str(self.step), **self.facts}
        save_weights(weights, self.out / WEIGHTS, facts)
        if best:
            save_weights(weights, self.out / BEST, facts)
        elif self._replaces:
            (self.out / BEST).unlink(missing_ok=True)  # of the run whose checkpoint goes now
        self._replaces = False
        save_checkpoint(state, self.out / CHECKPOINT)

    @property
    def board(self) -> Board:
        """Progress bar and TensorBoard, made when they are first needed."""
        if self._board is None:
            folder = self.out / "tensorboard"
            self._board = Board(folder, self.settings.steps, shown=self.processes.first)
            self._board.at(self.step)
        return self._board

    def close(self) -> None:
        """Finish the board and leave the other processes."""
        if self._board is not None:
            self._board.close()
        self.processes.leave()

    def _means(self) -> dict[str, float]:
        means = {}
        for name in sorted(self._told):
            values = [float(value) for value in self._told[name]]
            means[name] = self.processes.mean(math.fsum(values) / len(values))
        self._told.clear()
        return means

    def _images_per_s(self) -> float:
        """Of all processes, from the last report to the begin of this step: no validation in it."""
        settings = self.settings
        images = (self.step - 1 - self._from) * settings.batch * settings.accumulate
        return images * self.processes.count / max(1e-9, self._began - self._since)
