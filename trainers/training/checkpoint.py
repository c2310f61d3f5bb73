"""Checkpoints and weights on disk: whole or not at all, whenever the process is killed."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
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
    """Write a checkpoint aside, sync it, rename it.

    Raises:
        OSError: it cannot be written; the one before stays.
    """
    content = io.BytesIO()  # since torch.save tells a full disk by a RuntimeError without a reason
    torch.save(dict(state), content)
    _put_in_place(content.getbuffer(), path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        CheckpointError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise CheckpointError(
            f"A checkpoint is wanted at {path}, there is none; start without --resume."
        )
    try:
        state: dict[str, Any] = torch.load(path, device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise CheckpointError(
            f"A checkpoint of this trainer is wanted at {path}, it cannot be read as one; "
            "start without --resume."
        ) from error
    return state


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights to start from.

    Raises:
        CheckpointError: the file is none of weights.
    """
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise CheckpointError(
            f"Weights (.safetensors) are wanted at {path}, it cannot be read as such: {error}."
        ) from error


def save_weights(weights: Mapping[str, Tensor], path: Path, facts: Mapping[str, str]) -> None:
    """Write weights as safetensors, aside first.

    Args:
        weights: by their names in the file.
        path: of the file.
        facts: kept in the file's own header.
    """
    tensors = {name: value.detach().contiguous().cpu() for name, value in weights.items()}
    _put_in_place(save(tensors, dict(facts)), path)


def _put_in_place(content: bytes | memoryview, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
