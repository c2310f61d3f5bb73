"""What a run shows: a progress bar, one line a report, TensorBoard with sample pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

PICTURES = 8
"""Of a batch of pictures, at most so many are shown."""


class Board:
    """Terminal and TensorBoard of the first process; silent in the others.

    Args:
        folder: of the TensorBoard files.
        steps: of the whole run.
        shown: whether this process talks.
    """

    def __init__(self, folder: Path, steps: int, *, shown: bool) -> None:
        self._writer: Any = SummaryWriter(folder) if shown else None
        self._bar = tqdm(total=steps, unit="step", disable=not shown)

    def at(self, step: int) -> None:
        """Move the bar to a step."""
        self._bar.update(step - self._bar.n)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Put numbers on TensorBoard, and in a line on the terminal."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        words = [f"{name} {value:.4g}" for name, value in values.items()]
        self.say("  ".join([f"step {step}", *words]))

    def pictures(self, pictures: Mapping[str, Tensor], step: int) -> None:
        """Put sample pictures on TensorBoard.

        Args:
            pictures: (B, 1 or 3, H, W) from 0 to 1, by their title.
            step: of the run.
        """
        if self._writer is not None:
            for title, images in pictures.items():
                shown = images[:PICTURES].detach().float().cpu().clamp(0, 1)
                self._writer.add_images(title, shown, step)

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        if self._writer is not None:
            tqdm.write(sentence)

    def close(self) -> None:
        """Write what is left."""
        self._bar.close()
        if self._writer is not None:
            self._writer.close()
