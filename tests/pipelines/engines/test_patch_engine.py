from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.ct_to_pet.network import UptakeNetwork
from pipelines.engines import patch_engine
from pipelines.engines.patch_engine import (
    OpenVinoPatchEngine,
    TorchPatchEngine,
    choose_patch_engine,
)
from pipelines.errors import EngineError

SHAPE = (3, 32, 32, 32)


def network() -> UptakeNetwork:
    torch.manual_seed(0)
    made = UptakeNetwork((8, 12))
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made.eval()


def patches(*sizes: tuple[int, int, int], count: int = 1) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal((count, 3, *size)).astype(np.float32) for size in sizes]


@pytest.fixture(scope="module")
def fast() -> OpenVinoPatchEngine:
    return OpenVinoPatchEngine(network(), SHAPE, 1)


def test_openvino_computes_what_pytorch_does_at_any_size(fast: OpenVinoPatchEngine) -> None:
    batches = patches((32, 32, 32), (48, 32, 16), (16, 16, 64), (32, 32, 32))
    reference = TorchPatchEngine(network())
    for one, other in zip(fast.run(batches), reference.run(batches), strict=True):
        assert one.shape == other.shape
        assert other.std() > 0.01
        assert np.abs(one - other).max() < 1e-4


def test_batches_of_several_come_back_in_order(fast: OpenVinoPatchEngine) -> None:
    (batch,) = patches((16, 16, 16), count=3)
    (together,) = fast.run([batch])
    alone = np.concatenate(list(fast.run(batch[:, np.newaxis])))
    assert np.array_equal(together, alone)


def test_results_are_not_overwritten_by_the_next_batch(fast: OpenVinoPatchEngine) -> None:
    first, second = patches((16, 16, 16), (16, 16, 16))
    one, other = fast.run([first, second])
    assert not np.array_equal(one, other)
    assert np.array_equal(one, next(fast.run([first])))


def test_openvino_is_chosen_and_its_difference_noted() -> None:
    engine = choose_patch_engine(network(), SHAPE, "cpu", 1)
    assert engine.facts.name == "openvino"
    assert 0 <= engine.facts.largest_difference < 1e-4


class WrongEngine(TorchPatchEngine):
    """An engine that is off by a tenth of an SUV."""

    def __init__(self, network: nn.Module, shape: tuple[int, ...], threads: int = 0) -> None:
        class Off(nn.Module):
            def forward(self, seen: Tensor) -> Tensor:
                made: Tensor = network(seen)
                return made + 0.1

        super().__init__(Off())


def test_an_engine_that_differs_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patch_engine, "OpenVinoPatchEngine", WrongEngine)
    engine = choose_patch_engine(network(), SHAPE, "cpu", 1)
    assert engine.facts.name == "torch"
    assert "differs from the reference" in caplog.text
    assert choose_patch_engine(network(), SHAPE, "cpu", 1, tolerance=0.2).facts.name == "torch"


def test_a_device_that_is_not_there_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError):
        choose_patch_engine(network(), SHAPE, "cuda:0", 1)
