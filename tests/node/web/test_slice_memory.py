"""What is kept of decoded slices: the last ones, as far as they fit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from node.web.slice_memory import Slice, SliceMemory

SLICE_BYTES = 4 * 10 * 10


class Decoder:
    """Counts what it decodes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, path: Path) -> Slice:
        self.asked.append(path.name)
        return np.zeros((10, 10), np.float32)


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(count)]
    for path in paths:
        path.write_bytes(b"")
    return paths


def test_the_last_slices_are_kept_up_to_the_bytes(tmp_path: Path, decoder: Decoder) -> None:
    memory = SliceMemory(decoder, 3 * SLICE_BYTES)
    first, *others = files(tmp_path, 4)
    for path in (first, *others):
        memory.slice_of(path)
        assert memory.kept_bytes <= 3 * SLICE_BYTES
    for path in others:
        memory.slice_of(path)
    assert len(decoder.asked) == 4
    memory.slice_of(first)
    assert decoder.asked[4:] == ["0.dcm"]


def test_what_was_asked_for_last_stays(tmp_path: Path, decoder: Decoder) -> None:
    memory = SliceMemory(decoder, 2 * SLICE_BYTES)
    one, two, three = files(tmp_path, 3)
    for path in (one, two, one, three, one):
        memory.slice_of(path)
    assert decoder.asked == ["0.dcm", "1.dcm", "2.dcm"]


def test_a_slice_larger_than_all_room_is_shown_and_not_kept(
    tmp_path: Path, decoder: Decoder
) -> None:
    memory = SliceMemory(decoder, SLICE_BYTES - 1)
    (path,) = files(tmp_path, 1)
    assert memory.slice_of(path).shape == (10, 10)
    assert memory.kept_bytes == 0


def test_a_file_that_changed_is_decoded_anew(tmp_path: Path, decoder: Decoder) -> None:
    memory = SliceMemory(decoder, 9 * SLICE_BYTES)
    (path,) = files(tmp_path, 1)
    memory.slice_of(path)
    os.utime(path, ns=(1, 1))
    memory.slice_of(path)
    assert len(decoder.asked) == 2
    path.unlink()
    with pytest.raises(FileNotFoundError):
        memory.slice_of(path)
