"""How fast the virtual contrast is: the network by each engine, and a whole mammogram.

    python -m benchmarks.cesm_vce

Rivals run in one process, in turns; medians of the repeats. Writes benchmarks/results/cesm_vce.md.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.model_parts import Action, engine_title, in_turns
from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.cesm_vce.framing import SIZE
from pipelines.cesm_vce.pipeline import NAME, network_of
from pipelines.engines.engine import Engine
from pipelines.engines.hardware import processor_name
from pipelines.engines.torch_engine import TorchEngine
from trainers.simulation.drawn_breast import Iodine, draw_breast
from trainers.simulation.dual_energy import image_breast

RESULTS = Path(__file__).parent / "results" / "cesm_vce.md"
EAGER = "eager PyTorch fp32 (rival)"
NATIVE = (3062, 2394)
"""Rows and columns of a mammogram as a scanner sends it."""

IMAGES = 8
"""Forward passes a turn."""


def engines(threads: int) -> dict[str, Engine]:
    """The processor's engines by the names of the table; the reference first."""
    from pipelines.engines.ncnn_engine import NcnnEngine
    from pipelines.engines.openvino_engine import OpenVinoEngine

    weights = catalog.weights_path(NAME).read_bytes()
    return {
        EAGER: TorchEngine(network_of(weights), 0),
        engine_title("openvino", "OpenVINO"): OpenVinoEngine(network_of(weights), 0, threads),
        engine_title("ncnn", "ncnn"): NcnnEngine(network_of(weights), 0, threads),
    }


def breast(rows: int, columns: int) -> np.ndarray:
    """A simulated low-energy image."""
    pair = image_breast(draw_breast(np.random.default_rng(4)), Iodine.CORRELATED, rows, columns)
    return pair.low_energy


def run(engine: Engine, image: np.ndarray) -> np.ndarray:
    """The network's output for the same image, `IMAGES` times."""
    return list(engine.run(iter([image[None]] * IMAGES)))[-1]


def table(repeats: int, threads: int) -> str:
    """The page."""
    before = os.getloadavg()[0]
    small = np.pad(breast(SIZE, SIZE // 2), ((0, 0), (0, SIZE // 2)))
    found = engines(threads)
    outputs = {name: run(engine, small) for name, engine in found.items()}
    network: dict[str, Action] = {n: partial(run, e, small) for n, e in found.items()}
    seconds = {n: took.seconds(threads) for n, took in in_turns(network, repeats).items()}
    scanner = load(NAME, "cpu", threads)
    large = np.kron(breast(512, 400), np.ones((6, 6), np.float32))[: NATIVE[0], : NATIVE[1]]
    volume = Volume(np.ascontiguousarray(large)[None], np.eye(4), "1")
    whole = in_turns({"whole": partial(scanner, {"LE": volume})}, repeats)["whole"]
    rows = [
        f"| {name} | {took / IMAGES * 1000:.1f} | {seconds[EAGER] / took:.2f} | "
        f"{np.abs(outputs[name] - outputs[EAGER]).max():.2g} |"
        for name, took in seconds.items()
    ]
    what = "processor time on one thread" if threads == 1 else f"{threads} threads"
    return "\n".join(
        [
            f"{processor_name()}, PyTorch {torch.__version__}, {what}; {SIZE} x {SIZE}, median of "
            f"{repeats} turns; load of the machine before {before:.1f}.",
            "",
            "| engine | ms an image | beside eager | largest difference |",
            "|---|---|---|---|",
            *rows,
            "",
            f"A whole mammogram of {large.shape[0]} x {large.shape[1]}, from grey values in memory "
            f"to the recombined image and its record: {whole.seconds(threads):.2f} s (the network "
            "runs twice in it, the second time mirrored).",
            "",
        ]
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="turns")
    parser.add_argument("--threads", type=int, default=1, help="1 measures processor time")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    text = "# Virtual contrast on the processor\n\n" + table(given.repeats, given.threads)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
