from __future__ import annotations

import numpy as np
import torch

from pipelines.engines.torch_engine import TorchEngine
from tests.pipelines.networks import phantom, run, small_network


def test_the_reference_is_the_network_itself() -> None:
    images, network = phantom(3), small_network()
    with torch.inference_mode():
        middle = network(torch.from_numpy(images)[None])[0, 0].numpy()
    np.testing.assert_allclose(run(TorchEngine(network, 1), images)[1], middle, atol=1e-3)


def test_two_neighbours_on_each_side() -> None:
    images, network = phantom(6), small_network(context=2)
    with torch.inference_mode():
        third = network(torch.from_numpy(images[:5])[None])[0, 0].numpy()
    got = run(TorchEngine(network, 2), images, context=2)
    assert len(got) == 6
    np.testing.assert_allclose(got[2], third, atol=1e-3)
