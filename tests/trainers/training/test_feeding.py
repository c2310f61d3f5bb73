from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from tests.servers import wait_until
from trainers.training.feeding import Drawn, as_tensors, fed

CPU = torch.device("cpu")


def test_batches_come_in_the_order_of_the_steps_whoever_draws_first() -> None:
    second = threading.Event()

    def draw(step: int) -> list[Drawn]:
        if step == 0:
            assert second.wait(30)  # the second step is drawn before the first is finished
        elif step == 1:
            second.set()
        return [{"step": np.array([step])}]

    steps = [int(parts[0]["step"]) for parts in fed(draw, range(9), CPU, ahead=4, drawers=2)]
    assert steps == list(range(9))


def test_so_many_are_drawn_while_the_device_computes_and_no_more() -> None:
    drawn: list[int] = []

    def draw(step: int) -> list[Drawn]:
        drawn.append(step)
        return [{"step": np.array([step])}]

    stream = fed(draw, range(100), CPU, ahead=3, drawers=1)
    next(stream)
    wait_until(lambda: len(drawn) == 4, 30, "three steps to be drawn ahead")
    next(stream)
    wait_until(lambda: len(drawn) == 5, 30, "one more to be drawn")
    assert drawn == [0, 1, 2, 3, 4]


def test_an_error_while_drawing_comes_out() -> None:
    def draw(step: int) -> list[Drawn]:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        next(fed(draw, range(3), CPU, ahead=2, drawers=1))


def test_arrays_and_tensors_become_tensors() -> None:
    batch = as_tensors({"a": np.ones(2, np.float32), "b": torch.ones(1)}, pin=False)
    assert [value.dtype for value in batch.values()] == [torch.float32, torch.float32]
