"""Images a second of the trainers' library beside a plain PyTorch loop, on the same work.

    python -m benchmarks.training                   processor
    python -m benchmarks.training --device cuda     GPU, in bf16 (both)

The work is that of `trainers.ldct_denoise`: its network, its patches, its loss, Adam. All loops run
in one process, in turns; medians of the repeats. Result: benchmarks/results/training.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from benchmarks.model_parts import Took, in_turns, network
from pipelines.engines.hardware import processor_name
from trainers.ldct_denoise import Players, Settings, loss_of, update
from trainers.simulation.noise_bank import Stack, draw_patches
from trainers.training.feeding import Batch, Drawn
from trainers.training.randomness import random_of
from trainers.training.run import Run

RESULTS = Path(__file__).parent / "results" / "training.md"
SLICES, SIDE, DRAWS = 24, 512, 3
NAMES = (
    "patches already on the device: the ceiling of both",
    "plain loop: draw, forward, backward, Adam",
    "plain loop over a DataLoader with one worker",
    "ours: averaged weights, clipping, early-stopping and report hooks included",
)


def a_stack() -> Stack:
    """Slices and noise of a usual size, made up: the work does not depend on what they show."""
    random = np.random.default_rng(0)
    slices = random.integers(-100, 300, (SLICES, SIDE, SIDE)).astype(np.int16)
    noise = (20 * random.standard_normal((SLICES, DRAWS, SIDE, SIDE))).astype(np.float16)
    return Stack("made up", slices, np.arange(SLICES), noise, 1.0)


class Plain:
    """What one would write without any library.

    Args:
        settings: batch, patch, precision.
        stack: patches are drawn from it.
        device: where it computes.
    """

    def __init__(self, settings: Settings, stack: Stack, device: torch.device) -> None:
        self.settings, self.stack, self.device = settings, stack, device
        self.network: nn.Module = network().train().to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.adam = torch.optim.Adam(self.network.parameters(), settings.rate)

    def draw(self, step: int) -> Batch:
        """One batch of patches."""
        settings, random = self.settings, random_of(self.settings.seed, 0, step)
        patches = draw_patches([self.stack], settings.batch, settings.patch, random)
        return {name: torch.from_numpy(value) for name, value in vars(patches).items()}

    def learn(self, batch: Batch) -> None:
        """One step on one batch."""
        there = {name: value.to(self.device) for name, value in batch.items()}
        low = there["low"].contiguous(memory_format=torch.channels_last)
        half = self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            output: Tensor = self.network(low)
        loss = loss_of(output.float(), there["full"], there["inserted_sigma"])
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()

    def drawn_before(self) -> None:
        """The ceiling: one batch that is there already."""
        batch = {name: value.to(self.device) for name, value in self.draw(0).items()}
        for _ in range(self.settings.steps):
            self.learn(batch)
        settled(self.device)

    def in_the_loop(self) -> None:
        """Draw, then learn."""
        for step in range(self.settings.steps):
            self.learn(self.draw(step))
        settled(self.device)

    def by_loader(self) -> None:
        """PyTorch's own way to draw ahead: a process."""
        loader = DataLoader(_Steps(self), None, num_workers=1, pin_memory=False)
        for batch in loader:
            self.learn(batch)
        settled(self.device)


class _Steps(IterableDataset[Any]):
    def __init__(self, plain: Plain) -> None:
        self.plain = plain

    def __iter__(self) -> Iterator[Batch]:
        return map(self.plain.draw, range(self.plain.settings.steps))


class Ours:
    """The library, as `trainers.ldct_denoise` uses it; no report falls into a turn.

    Args:
        settings: of the run.
        stack: patches are drawn from it.
        folder: of the run.
    """

    def __init__(self, settings: Settings, stack: Stack, folder: Path) -> None:
        self.run, self.settings, self.stack = Run(settings, folder), settings, stack
        self.players = Players.of(self.run, settings)

    def draw(self, random: np.random.Generator) -> Drawn:
        """One batch of patches."""
        settings = self.settings
        return vars(draw_patches([self.stack], settings.batch, settings.patch, random))

    def turn(self) -> None:
        """All steps, from the first."""
        self.run.step = 0
        for batches in self.run.steps(self.draw):
            update(self.run, self.players, batches)
        settled(self.run.device)


def settled(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(settings: Settings, repeats: int) -> str:
    """Measure; gives the page of results."""
    device, stack = torch.device(settings.device), a_stack()
    before = os.getloadavg()[0]
    plain = Plain(settings, stack, device)
    with tempfile.TemporaryDirectory() as folder:
        loops: tuple[Callable[[], None], ...] = (
            plain.drawn_before,
            plain.in_the_loop,
            plain.by_loader,
            Ours(settings, stack, Path(folder)).turn,
        )
        actions = dict(zip(NAMES, loops, strict=True))
        in_turns(actions, 1)  # warms up
        took = in_turns(actions, repeats)
    return page(settings, repeats, before, took)


def page(
    settings: Settings,
    repeats: int,
    before: float,
    took: Mapping[str, Took],
) -> str:
    """The figures as Markdown.

    Args:
        settings: of the runs.
        repeats: turns.
        before: load of the machine.
        took: by loop.
    """
    device = torch.device(settings.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    return "\n".join(
        [
            "# Training: the library beside a plain loop",
            "",
            "Made by `python -m benchmarks.training`.",
            "",
            f"{where}, {torch.get_num_threads()} thread(s), {os.cpu_count()} cores, PyTorch "
            f"{torch.__version__}; network, patches and loss of `trainers.ldct_denoise`, batches "
            f"of {settings.batch} patches of {settings.patch} x {settings.patch}, "
            f"{settings.steps} steps a turn, median of {repeats} turns; load of the machine "
            f"before {before:.1f}.",
            "",
            "| loop | images/s | beside the plain loop | processor time an image, ms |",
            "|---|---|---|---|",
            *rows_of(took, settings.steps * settings.batch),
            "",
            "Images/s are by the clock on the wall, and the machine had other work. Processor time "
            "is that of the process alone (a DataLoader's worker is another process): it hardly "
            "depends on what else the machine does.",
            "",
        ]
    )


def rows_of(took: Mapping[str, Took], images: int) -> list[str]:
    """A line of the table for each loop, which learnt so many images a turn."""
    plain = took[NAMES[1]].wall
    return [
        f"| {name} | {images / one.wall:.1f} | {plain / one.wall:.2f} | "
        f"{1000 * one.processor / images:.1f} |"
        for name, one in took.items()
    ]


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--steps", type=int, default=12, help="of a turn")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    given = parser.parse_args()
    settings = Settings(
        steps=given.steps,
        batch=given.batch,
        patch=given.patch,
        device=given.device,
        save_every=10**6,
    )
    page = measured(settings, given.repeats)
    print(page)
    RESULTS.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
