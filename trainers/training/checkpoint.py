"""Checkpoints and weights on disk: whole or not at all, whenever the process is killed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

from trainers.training.errors import CheckpointError


class Stateful(Protocol):
    """What a checkpoint can keep: tensors, numbers, texts, lists and mappings of them."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to go on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go on from what `state_dict` gave."""
        ...


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint aside, sync it, rename it."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(dict(state), file)
    _put_in_place(part, path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        CheckpointError: there is none.
    """
    if not path.is_file():
        raise CheckpointError(
            f"A checkpoint is wanted at {path}, there is none; start without --resume."
        )
    state: dict[str, Any] = torch.load(path, device, weights_only=True)
    return state


def save_weights(weights: Mapping[str, Tensor], path: Path, facts: Mapping[str, str]) -> None:
    """Write weights as safetensors, aside first.

    Args:
        weights: by their names in the file.
        path: of the file.
        facts: kept in the file's own header.
    """
    tensors = {name: value.detach().contiguous().cpu() for name, value in weights.items()}
    part = path.with_name(f"{path.name}.part")
    save_file(tensors, part, dict(facts))
    _put_in_place(part, path)


def _put_in_place(part: Path, path: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
