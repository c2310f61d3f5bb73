"""Write a torch network down as an ncnn network: layers as text, weights as bytes.

ncnn's text form: a magic number, the counts of layers and blobs, then a line a layer:
`type name inputs outputs input-names output-names key=value ...`. A blob feeds one layer only,
so a value used twice passes a Split. Weights follow in the order of the layers; four zero bytes
before those of a convolution say that they are plain fp32.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from pipelines.errors import NotForThisEngine

MAGIC = "7767517"
PLAIN_FP32 = b"\0\0\0\0"
RELU_WITHIN = "9=1"
"""A convolution's parameter: its results go through a ReLU."""

CONVOLUTIONS = ("Convolution", "Deconvolution")
REFLECT = 2
"""Of a Padding layer."""
TO_THE_END = -233
"""A Crop's size: all that is left."""

MADE_BY_CONVOLUTION = 5
"""Place of the output's name in a convolution's line."""

INPUT, OUTPUT = "input", "output"
"""Names of the blobs that go in and come out."""


@dataclass
class NcnnGraph:
    """A network in ncnn's form, while it is written.

    Attributes:
        layers: a line for each layer.
        blobs: how many blobs there are.
        weights: weights and biases, in the order of the layers.
    """

    layers: list[str] = field(default_factory=list)
    blobs: int = 0
    weights: bytearray = field(default_factory=bytearray)

    def add(self, kind: str, inputs: list[str], outputs: list[str], parameters: str = "") -> None:
        """Write one layer."""
        self.blobs += len(outputs)
        counts = f"{len(inputs)} {len(outputs)}"
        names = " ".join(inputs + outputs)
        self.layers.append(f"{kind} layer{len(self.layers)} {counts} {names} {parameters}".rstrip())

    def add_relu(self, source: str, name: str) -> None:
        """Write a ReLU; right after the convolution that alone feeds it, as a part of that."""
        words = self.layers[-1].split()
        if words[0] in CONVOLUTIONS and words[MADE_BY_CONVOLUTION] == source:
            words[MADE_BY_CONVOLUTION] = name
            self.layers[-1] = " ".join([*words, RELU_WITHIN])
        else:
            self.add("ReLU", [source], [name])

    def text(self) -> str:
        """The whole network as text."""
        return "\n".join([MAGIC, f"{len(self.layers)} {self.blobs}", *self.layers]) + "\n"


def ncnn_graph(function: Callable[[Tensor], Tensor], network: nn.Module) -> NcnnGraph:
    """Trace a method of a network and write it down.

    Args:
        function: a bound method of `network` that maps one tensor to one tensor with convolutions
            (transposed ones, too; zeros or reflections around them), ReLU, addition, pixel
            shuffles, and channels that are parted and put together.
        network: whose parameters it uses.

    Raises:
        NotForThisEngine: the method does something else.
    """
    traced = fx.Tracer().trace(_Traceable(function, network))
    graph = NcnnGraph()
    blobs: dict[fx.Node, list[str]] = {}
    for node in traced.nodes:
        if node.op == "output":
            graph.add("Noop", [blobs[node.args[0]].pop()], [OUTPUT])
            break
        name = INPUT if node.op == "placeholder" else node.name
        _write(graph, network, node, [blobs[source].pop() for source in node.all_input_nodes], name)
        blobs[node] = _names_for_users(graph, node, name)
    return graph


class _Traceable(nn.Module):
    """A method as a module of its own, so that it can be traced."""

    def __init__(self, function: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.network = network

    def forward(self, value: Tensor) -> Tensor:
        """Call the method."""
        return self.function(value)


def _names_for_users(graph: NcnnGraph, node: fx.Node, name: str) -> list[str]:
    """The blob's name, or one name for each layer that reads it."""
    if len(node.users) < 2:
        return [name]
    names = [f"{name}.{index}" for index in range(len(node.users))]
    graph.add("Split", [name], names)
    return list(names)


def _write(
    graph: NcnnGraph, network: nn.Module, node: fx.Node, inputs: list[str], name: str
) -> None:
    if node.op == "placeholder":
        graph.add("Input", [], [name])
    elif node.op == "call_module":
        module = network.get_submodule(str(node.target).removeprefix("network."))
        _write_module(graph, module, inputs[0], name)
    elif node.target in (functional.relu, torch.relu):
        graph.add_relu(inputs[0], name)
    elif node.target in (operator.add, torch.add) and len(inputs) == 2:
        graph.add("BinaryOp", inputs, [name], "0=0")
    elif node.target is functional.pixel_shuffle:
        graph.add("PixelShuffle", inputs, [name], f"0={node.args[1]} 1=0")
    elif node.target is functional.pixel_unshuffle:
        graph.add("Reorg", inputs, [name], f"0={node.args[1]} 1=0")
    elif node.target is torch.cat and node.kwargs == {"dim": 1}:
        graph.add("Concat", inputs, [name], "0=0")
    elif node.target is operator.getitem:
        graph.add("Crop", inputs, [name], _channels(node.args[1]))
    else:
        what = getattr(node.target, "__name__", node.target)
        raise NotForThisEngine(f"ncnn is not given networks with {what}.")


def _channels(index: object) -> str:
    """Parameters of a Crop for `[:, first:last]`."""
    match index:
        case (
            slice(start=None, stop=None, step=None),
            slice(start=int(first), stop=int(last), step=None),
        ) if 0 <= first < last:
            return f"2={first} 3={TO_THE_END} 4={TO_THE_END} 5={last - first}"
    raise NotForThisEngine(f"ncnn is given channels by first and last, not by {index}.")


def _write_module(graph: NcnnGraph, module: nn.Module, source: str, name: str) -> None:
    if isinstance(module, nn.ReLU):
        graph.add_relu(source, name)
    elif isinstance(module, nn.Conv2d):
        _write_convolution(graph, module, source, name)
    elif isinstance(module, nn.ConvTranspose2d):
        _write_transposed(graph, module, source, name)
    else:
        raise NotForThisEngine(f"ncnn is not given networks with {type(module).__name__}.")


def _write_convolution(graph: NcnnGraph, module: nn.Conv2d, source: str, name: str) -> None:
    around = _around(module)
    if module.padding_mode == "reflect":
        source, around = _reflected(graph, source, around), (0, 0)
    parameters = _window(module, around)
    _add_weighted(graph, "Convolution", (source, name), parameters, module.weight, module.bias)


def _write_transposed(graph: NcnnGraph, module: nn.ConvTranspose2d, source: str, name: str) -> None:
    parameters = _window(module, _around(module)) | {
        18: module.output_padding[1],
        19: module.output_padding[0],
    }
    weight = module.weight.transpose(0, 1)  # torch's is (in, out, H, W), ncnn's (out, in, H, W)
    _add_weighted(graph, "Deconvolution", (source, name), parameters, weight, module.bias)


def _around(module: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int]:
    """Rows and columns that a plain convolution adds on each side.

    Raises:
        NotForThisEngine: it is none.
    """
    plain = module.groups == 1 and module.padding_mode in ("zeros", "reflect")
    if not plain or isinstance(module.padding, str):
        raise NotForThisEngine(f"ncnn is given plain 2-D convolutions only, not {module}.")
    down, across = module.padding
    return down, across


def _reflected(graph: NcnnGraph, source: str, around: tuple[int, int]) -> str:
    """The blob with reflections around it, of so many rows and columns."""
    down, across = around
    name = f"{source}.reflected"
    sides = f"0={down} 1={down} 2={across} 3={across} 4={REFLECT}"
    graph.add("Padding", [source], [name], sides)
    return name


def _window(module: nn.Conv2d | nn.ConvTranspose2d, around: tuple[int, int]) -> dict[int, int]:
    """Parameters that both kinds of convolution have."""
    return {
        0: module.out_channels,
        1: module.kernel_size[1],
        11: module.kernel_size[0],
        2: module.dilation[1],
        12: module.dilation[0],
        3: module.stride[1],
        13: module.stride[0],
        4: around[1],
        14: around[0],
    }


def _add_weighted(
    graph: NcnnGraph,
    kind: str,
    names: tuple[str, str],
    parameters: dict[int, int],
    weight: Tensor,
    bias: Tensor | None,
) -> None:
    """Write a layer with weights; `names` are what it reads and what it makes."""
    sizes = parameters | {5: int(bias is not None), 6: weight.numel()}
    text = " ".join(f"{key}={value}" for key, value in sizes.items())
    graph.add(kind, [names[0]], [names[1]], text)
    graph.weights += PLAIN_FP32 + weight.detach().float().contiguous().numpy().tobytes()
    if bias is not None:
        graph.weights += bias.detach().float().numpy().tobytes()
