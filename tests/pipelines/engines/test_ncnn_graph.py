from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pipelines.engines.ncnn_graph import ncnn_graph
from pipelines.errors import EngineError
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


@pytest.mark.parametrize("network", [Sigmoid(), Grouped()])
def test_what_it_cannot_write_is_refused(network: Sigmoid | Grouped) -> None:
    with pytest.raises(EngineError, match="ncnn is"):
        ncnn_graph(network.correction, network)
