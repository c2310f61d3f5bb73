from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch

from pipelines.engines.choose import FAST_ON_CPU
from pipelines.engines.engine import slabs
from pipelines.errors import WeightsError
from pipelines.mr_to_ct.models import load_models, read_networks, written
from pipelines.mr_to_ct.networks import Design, build

DESIGNS = {
    "in_n_out": Design("multi", ("IP", "OOP"), 0, 1.5, width=4, norm="none"),
    "t1": Design("residual_unet", ("T1",), 2, 1.0, width=4),
}


@pytest.fixture(scope="module")
def weights() -> bytes:
    torch.manual_seed(0)
    return written({name: (d, build(d).state_dict()) for name, d in DESIGNS.items()})


def test_designs_and_tensors_come_back(weights: bytes) -> None:
    networks = read_networks(weights)
    assert {name: design for name, (design, _) in networks.items()} == DESIGNS
    for _, network in networks.values():
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_each_engine_computes_what_the_network_does(weights: bytes) -> None:
    models = load_models(weights, "cpu", 1)
    network = read_networks(weights)["in_n_out"][1].eval()
    images = np.random.default_rng(0).random((1, 2, 40, 36)).astype(np.float32)
    model = models["IP", "OOP"]
    (batch,) = model.engine.run(slabs([images.reshape(80, 36)], 0, 1))
    with torch.no_grad():
        wanted = network(torch.from_numpy(images))[0, 0].numpy()
    np.testing.assert_allclose(batch[0], wanted, atol=0.5)


def test_the_fast_engines_are_proven(weights: bytes) -> None:
    models = load_models(weights, "cpu", 1)
    assert models["T1",].engine.facts.name in FAST_ON_CPU
    assert all(model.engine.facts.largest_difference <= 0.5 for model in models.values())


def test_other_weights_are_refused(weights: bytes) -> None:
    with pytest.raises(WeightsError):
        read_networks(b"nonsense")
    tensors = safetensors.torch.load(weights)
    tensors.pop(next(iter(tensors)))
    broken = safetensors.torch.save(tensors, {"designs": '{"t1": {"odd": 1}}'})
    with pytest.raises(WeightsError):
        read_networks(broken)
