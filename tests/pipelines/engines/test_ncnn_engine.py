from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from pipelines.engines.ncnn_engine import MOST_SLICES, NcnnEngine
from pipelines.engines.torch_engine import TorchEngine
from pipelines.ldct_denoise.network import DenoisingNetwork
from tests.pipelines.networks import phantom, run, small_network


@pytest.mark.parametrize("threads", [1, 2, 3, 2 * MOST_SLICES])
def test_any_number_of_threads_gives_the_same(threads: int) -> None:
    images = phantom(5)
    got = run(NcnnEngine(small_network(), 1, threads), images)
    np.testing.assert_array_equal(got, run(NcnnEngine(small_network(), 1, 1), images))


def test_two_neighbours_and_batches() -> None:
    images, network = phantom(7), small_network(context=2)
    engine = NcnnEngine(network, 2, 2)
    engine.batch = 3
    wanted = run(TorchEngine(network, 2), images, context=2)
    np.testing.assert_allclose(run(engine, images, context=2), wanted, atol=0.1)


def test_the_weights_outlive_the_network() -> None:
    engine = NcnnEngine(small_network(), 1, 1)
    first = run(engine, phantom(2))
    _ = [np.full(1 << 16, index) for index in range(200)]  # would overwrite freed memory
    np.testing.assert_array_equal(run(engine, phantom(2)), first)


def test_torch_helps_no_slice_and_everybody_else_as_before() -> None:
    class Watched(DenoisingNetwork):
        def prepare(self, slices: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            return super().prepare(slices)

    def elsewhere() -> int:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(torch.get_num_threads).result()

    seen: list[int] = []
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = NcnnEngine(Watched((8, 8)), 1, 2)
        seen.clear()  # of the trace
        run(engine, phantom(3))
        assert set(seen) == {1}
        assert (torch.get_num_threads(), elsewhere()) == (2, 2)
    finally:
        torch.set_num_threads(usual)
