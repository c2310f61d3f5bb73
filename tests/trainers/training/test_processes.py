from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.errors import EngineError
from trainers.training.processes import Processes


def test_alone_nothing_is_sent() -> None:
    processes = Processes("cpu")
    assert (processes.rank, processes.count, processes.first) == (0, 1, True)
    assert processes.mean(3.0) == processes.told_by_first(3.0) == 3.0
    parameter = nn.Parameter(torch.zeros(1))
    processes.average_gradients([parameter])
    assert parameter.grad is None
    with processes.first_goes_first():
        processes.wait()
    processes.leave()


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(EngineError, match=device):
        Processes(device)
