from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipelines.engines.engine import slabs
from pipelines.engines.ncnn_engine import NcnnEngine
from pipelines.engines.ncnn_graph import ncnn_graph
from pipelines.errors import EngineError
from pipelines.mr_to_ct.generators import MultiGenerator, Shape, SingleGenerator
from pipelines.mr_to_ct.stacked import Stacked
from tests.pipelines.networks import small_network


class Sigmoid(nn.Module):
    def correction(self, seen: Tensor) -> Tensor:
        return torch.sigmoid(seen)


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 3, groups=2)

    def correction(self, seen: Tensor) -> Tensor:
        result: Tensor = self.layer(seen)
        return result


def test_counts_and_names_are_those_of_the_text() -> None:
    network = small_network()
    magic, counts, *layers = ncnn_graph(network.correction, network).text().splitlines()
    assert magic == "7767517"
    made = [name for line in layers for name in outputs(line)]
    read = [name for line in layers for name in inputs(line)]
    assert counts == f"{len(layers)} {len(made)}"
    assert len(set(made)) == len(made)
    assert sorted([*read, "output"]) == sorted(made), "every blob is read exactly once"


def inputs(line: str) -> list[str]:
    _, _, count, _, *names = line.split()
    return names[: int(count)]


def outputs(line: str) -> list[str]:
    _, _, count, made, *names = line.split()
    return names[int(count) : int(count) + int(made)]


def test_a_relu_is_part_of_the_convolution_that_alone_feeds_it() -> None:
    network = small_network()
    layers = ncnn_graph(network.correction, network).text().splitlines()[2:]
    blocks = sum(name.endswith("first") for name, _ in network.named_modules())
    assert sum(line.endswith("9=1") for line in layers) == blocks
    assert [line.split()[0] for line in layers].count("ReLU") == 1, "that after the last addition"


def test_weights_are_all_there() -> None:
    network = small_network()
    graph = ncnn_graph(network.correction, network)
    numbers = sum(parameter.numel() for parameter in network.parameters())
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert len(graph.weights) == 4 * (numbers + convolutions)


class Ends(nn.Module):
    """Channels counted from the end."""

    def correction(self, seen: Tensor) -> Tensor:
        return seen[:, -2:]


class Replicated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 3, padding=1, padding_mode="replicate")

    def correction(self, seen: Tensor) -> Tensor:
        result: Tensor = self.layer(seen)
        return result


@pytest.mark.parametrize("network", [Sigmoid(), Grouped(), Ends(), Replicated()])
def test_what_it_cannot_write_is_refused(network: Grouped) -> None:
    with pytest.raises(EngineError, match="ncnn is"):
        ncnn_graph(network.correction, network)


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(4, 20), columns=st.integers(4, 20), modalities=st.integers(1, 3))
def test_the_papers_generators_give_what_torch_gives(
    rows: int, columns: int, modalities: int
) -> None:
    """Reflections, transposed convolutions, branches that are parted and put together."""
    torch.manual_seed(rows)
    shape = Shape(width=4, norm="none")
    network = (
        MultiGenerator(modalities, shape) if modalities > 1 else SingleGenerator(shape)
    ).eval()
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.bias)  # type: ignore[arg-type]
    engine = NcnnEngine(Stacked(network, modalities), 0, threads=1)
    seen = torch.rand(2, modalities, 4 * rows, 4 * columns)
    with torch.inference_mode():
        wanted = network(seen).numpy()[:, 0]
    tall = seen.reshape(2, modalities * 4 * rows, 4 * columns).numpy()
    got = np.concatenate(list(engine.run(slabs(tall, 0, batch=1))))
    np.testing.assert_allclose(got, wanted, atol=0.05 + 1e-4 * np.abs(wanted).max())
