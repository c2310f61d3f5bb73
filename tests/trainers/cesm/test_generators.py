from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.pipeline import GENERATOR, network_of
from pipelines.errors import WeightsError
from trainers.cesm.generators import (
    Size,
    facts_of,
    generator_of,
    kind_of,
    levels_of,
    read_generator,
    way_back,
)
from trainers.training.errors import SettingsError

KINDS = ("autoencoder", "pix2pix", "cyclegan")
NARROW = {"autoencoder": 7, "pix2pix": 4, "cyclegan": 8}


def parameters(network: torch.nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


@pytest.mark.parametrize("kind", [*KINDS, "folded_unet"])
def test_the_published_size_is_what_serving_builds(kind: str) -> None:
    assert generator_of(kind, Size()).state_dict().keys() == build(kind).state_dict().keys()
    assert parameters(generator_of(kind, Size())) == parameters(build(kind))
    assert facts_of(kind, Size())[GENERATOR] == kind


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_generators_keep_the_square(kind: str) -> None:
    network = generator_of(kind, Size(NARROW[kind], 64)).eval()
    made = network(torch.rand(2, 1, 64, 64))
    assert made.shape == (2, 1, 64, 64)
    assert 100_000 < parameters(network) < 150_000


def test_smaller_squares_take_fewer_blocks() -> None:
    assert parameters(generator_of("cyclegan", Size(8, 64))) < parameters(
        generator_of("cyclegan", Size(8, 256))
    )
    assert parameters(way_back(Size(8, 64))) == parameters(generator_of("cyclegan", Size(8, 64)))


def test_a_run_is_read_back_and_serving_refuses_it(tmp_path: Path) -> None:
    size = Size(8, 64)
    network = generator_of("cyclegan", size).eval()
    file = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), file, facts_of("cyclegan", size))
    again, found = read_generator(file)
    assert found == size
    seen = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(again(seen), network(seen))
    with pytest.raises(WeightsError, match="not served"):
        network_of(file.read_bytes())


def test_sides_that_cannot_be_halved_are_refused() -> None:
    assert levels_of(256) == 8
    with pytest.raises(SettingsError, match="squares of"):
        levels_of(96)
    with pytest.raises(SettingsError, match="have a width"):
        generator_of("folded_unet", Size(8, 64))


def test_the_lesion_aware_method_trains_cyclegan() -> None:
    assert kind_of("lesion_cyclegan") == "cyclegan"
    assert kind_of("pix2pix") == "pix2pix"
