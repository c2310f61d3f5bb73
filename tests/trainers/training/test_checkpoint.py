from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from trainers.training.checkpoint import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
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


@contextmanager
def files_up_to(count: int) -> Iterator[None]:
    """Inside, no file can grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_as_such_and_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"step": 3}, path)
    with files_up_to(100_000), pytest.raises(OSError, match="File too large"):
        save_checkpoint({"step": 4, "big": torch.zeros(10**6)}, path)
    assert load_checkpoint(path, CPU)["step"] == 3


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": Path("/")}, path)
    with pytest.raises(CheckpointError, match="cannot be read as one"):
        load_checkpoint(path, CPU)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_file_that_is_none_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as one"):
        load_checkpoint(path, CPU)
    with pytest.raises(CheckpointError, match="cannot be read as such"):
        load_weights(path)


def test_who_may_read_the_checkpoint_may_read_the_weights(tmp_path: Path) -> None:
    save_checkpoint({"step": 3}, tmp_path / "checkpoint.pt")
    save_weights({"a": torch.ones(2)}, tmp_path / "weights.safetensors", {})
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes["weights.safetensors"] == modes["checkpoint.pt"]


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="start without --resume"):
        load_checkpoint(tmp_path / "checkpoint.pt", CPU)


def test_weights_are_safetensors(tmp_path: Path) -> None:
    weights = {"a": torch.rand(2, 3).T, "b": torch.ones(1, requires_grad=True)}
    save_weights(weights, tmp_path / "weights.safetensors", {"steps": "4"})
    read = load_file(tmp_path / "weights.safetensors")
    assert torch.equal(read["a"], weights["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
