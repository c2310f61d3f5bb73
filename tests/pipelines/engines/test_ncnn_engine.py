from __future__ import annotations

import numpy as np
import pytest

from pipelines.engines.ncnn_engine import MOST_SLICES, NcnnEngine
from pipelines.engines.torch_engine import TorchEngine
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
