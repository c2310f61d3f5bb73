from __future__ import annotations

import pytest
import safetensors.torch
import torch

from pipelines import catalog
from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.network import network_for
from pipelines.ct_to_pet.patches import Tiling
from pipelines.ct_to_pet.weights import SINGLE, NetworkFacts, read_networks, to_bytes
from pipelines.errors import WeightsError

UNET = NetworkFacts("residual_unet", (8, 8), 32, 16, True, False, 3)
GENERATOR = NetworkFacts("generator", (4,), 32, 16, False, True, 5)


def a_file() -> tuple[bytes, dict[str, dict[str, torch.Tensor]]]:
    states = {
        name: network_for(facts.backbone, facts.widths).state_dict()
        for name, facts in (("legs", UNET), ("head", GENERATOR))
    }
    facts = {"legs": UNET, "head": GENERATOR}
    return to_bytes({name: (facts[name], state) for name, state in states.items()}), states


def test_networks_come_back_with_their_facts() -> None:
    content, states = a_file()
    found = read_networks(content)
    assert {name: one.facts for name, one in found.items()} == {"legs": UNET, "head": GENERATOR}
    for name, state in states.items():
        for key, value in found[name].network.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, state[key].half().float())
        assert not found[name].network.training


def test_only_the_residual_unet_takes_patches_of_any_size() -> None:
    assert UNET.tiling == Tiling(32, 16, True, 16)
    assert GENERATOR.tiling == Tiling(32, 16, False, 0)


def test_shipped_file_has_every_district_and_the_single_model() -> None:
    found = read_networks(catalog.weights_path("ct_to_pet").read_bytes())
    assert set(found) == {SINGLE, *LABELS}
    simulated = {name for name, one in found.items() if one.facts.simulated_only}
    assert simulated == {"head", "arms"}


def test_other_files_are_refused() -> None:
    content, states = a_file()
    with pytest.raises(WeightsError):
        read_networks(b"PK\x03\x04 no weights at all")
    with pytest.raises(WeightsError):
        read_networks(safetensors.torch.save({"legs.x": torch.zeros(1)}))
    del states["legs"]["last.bias"]
    with pytest.raises(WeightsError, match=r"last\.bias"):
        read_networks(to_bytes({"legs": (UNET, states["legs"])}))
    with pytest.raises(WeightsError):
        read_networks(content[: len(content) // 2])
