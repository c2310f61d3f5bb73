from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainers.training.board import Board


def test_numbers_and_pictures_are_on_tensorboard_and_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Board(tmp_path, 10, shown=True)
    board.at(5)
    board.scalars({"loss": 0.25}, 5)
    board.pictures({"made": torch.rand(2, 1, 8, 8)}, 5)
    board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(5, 0.25)]
    assert any(tag.startswith("made") for tag in events.Tags()["images"])
    shown = capsys.readouterr()
    assert "step 5  loss 0.25" in shown.out
    assert "5/10" in shown.err


def test_other_processes_are_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(tmp_path / "none", 10, shown=False)
    board.scalars({"loss": 0.25}, 5)
    board.pictures({"made": torch.rand(2, 1, 8, 8)}, 5)
    board.close()
    assert not (tmp_path / "none").exists()
    assert capsys.readouterr() == ("", "")
