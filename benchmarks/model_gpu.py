"""The GPU's part of `benchmarks.model`: slices/s and the share of the bf16 ceiling."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.model_parts import (
    Action,
    Voxels,
    error_cells,
    in_turns,
    network,
    run,
    timed,
)
from dicom_profiles.volume import Volume
from pipelines import load
from pipelines.contract import VolumeSource
from pipelines.engines.torch_engine import CudaEngine, TorchEngine
from pipelines.ldct_denoise.network import CONTEXT

MATMUL = 8192  # side of the matrices whose product is the bf16 ceiling
CHECKED = 16  # slices that the reference on the processor computes as well
ALONE = 10  # calls of the network alone


def gpu(images: Voxels, count: int, repeats: int, device: str) -> str:
    """The section on a GPU."""
    series = np.tile(images, (max(count // len(images), 1), 1, 1))
    reference = run(TorchEngine(network(), CONTEXT), series[:CHECKED])
    engines = _engines(device)
    outputs = {name: run(engine, series[:CHECKED]) for name, engine in engines.items()}
    actions: dict[str, Action] = {n: partial(run, engine, series) for n, engine in engines.items()}
    scanner, whole = load("ldct_denoise", device=device), VolumeSource(Volume(series, np.eye(4)))
    actions["whole pipeline, quality record included"] = lambda: sum(
        1 for _ in scanner.translate({"CT": whole}).slices
    )
    in_turns(actions, 1)
    seconds = {name: took.wall for name, took in in_turns(actions, repeats).items()}
    ceiling, flops = bf16_ceiling(device), flops_of_a_slice(series.shape[1])
    rows = []
    for name, took in seconds.items():
        speed = len(series) / took
        errors = error_cells(outputs.get(name), reference)
        share = f"{speed * flops / 1e12:.1f} | {speed * flops / ceiling:.1%}"
        rows.append(f"| {name} | {speed:.0f} | {share} | {errors} |")
    return "\n".join(
        [
            f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}, Python "
            f"{platform.python_version()}; {len(series)} slices of {series.shape[1]} x "
            f"{series.shape[2]} from and to host memory, median of {repeats} repeats in turns; "
            f"{flops / 1e9:.1f} GFLOP a slice; bf16 ceiling {ceiling / 1e12:.0f} TFLOP/s "
            f"({MATMUL} x {MATMUL} product).",
            "",
            "| engine | slices/s | TFLOP/s | of the ceiling | largest error | mean error |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            _network_alone(series, device, ceiling, flops),
        ]
    )


def bf16_ceiling(device: str) -> float:
    """FLOP/s of a large bf16 matrix product on random data."""
    left, right = (torch.randn(MATMUL, MATMUL, device=device).bfloat16() for _ in range(2))

    def products() -> None:
        for _ in range(20):
            torch.mm(left, right)
        torch.cuda.synchronize()

    products()
    return 20 * 2 * MATMUL**3 / timed(products).wall


def flops_of_a_slice(size: int) -> int:
    """FLOP that the network spends on one slice."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network()(torch.zeros(1, 2 * CONTEXT + 1, size, size))
    return int(counter.get_total_flops())


def _engines(device: str) -> dict[str, CudaEngine]:
    engines = {}
    for name, precision in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        for batch in (8, 16, 32):
            engine = CudaEngine(network(), CONTEXT, device, precision)
            engine.batch = batch
            engines[f"{name}, batches of {batch}"] = engine
    return engines


def _network_alone(images: Voxels, device: str, ceiling: float, flops: int) -> str:
    """The network on data that already lie on the GPU: what copies and slabs cost."""
    model = CudaEngine(network(), CONTEXT, device)._network
    stack = torch.from_numpy(images[:48]).reshape(16, 3, *images.shape[1:]).to(device)
    found = []
    for name, called in (("eager", model), ("compiled", torch.compile(model))):

        def calls(called: Callable[..., object] = called) -> None:
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
                for _ in range(ALONE):
                    called(stack)
            torch.cuda.synchronize()

        calls()
        speed = ALONE * len(stack) / timed(calls).wall
        found.append(f"{name} {speed:.0f} slices/s ({speed * flops / ceiling:.1%} of the ceiling)")
    return "The network alone, data on the GPU, batches of 16: " + ", ".join(found) + "."
