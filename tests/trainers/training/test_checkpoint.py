from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trainers.training.checkpoint import load_checkpoint, save_checkpoint, save_weights
from trainers.training.errors import CheckpointError

CPU = torch.device("cpu")


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"step": 3, "parts": {"a": {"w": torch.ones(2)}}}, path)
    state = load_checkpoint(path, CPU)
    assert state["step"] == 3
    assert torch.equal(state["parts"]["a"]["w"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_cannot_be_finished_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"step": 3}, path)
    with pytest.raises(TypeError):  # a lock cannot be written: the file stays half done
        save_checkpoint({"big": torch.zeros(10**6), "step": 4, "x": threading.Lock()}, path)
    assert load_checkpoint(path, CPU)["step"] == 3


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": Path("/")}, path)
    with pytest.raises(Exception, match="weights_only"):
        load_checkpoint(path, CPU)


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="start without --resume"):
        load_checkpoint(tmp_path / "checkpoint.pt", CPU)


def test_weights_are_safetensors(tmp_path: Path) -> None:
    weights = {"a": torch.rand(2, 3).T, "b": torch.ones(1, requires_grad=True)}
    save_weights(weights, tmp_path / "weights.safetensors", {"steps": "4"})
    read = load_file(tmp_path / "weights.safetensors")
    assert torch.equal(read["a"], weights["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
