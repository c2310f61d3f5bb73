"""How fast CT from MR is: seconds for a study by each engine, beside eager PyTorch.

    python -m benchmarks.mr_to_ct

Rivals run in one process, in turns; medians of the repeats. Writes benchmarks/results/mr_to_ct.md.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.model_parts import Action, in_turns
from pipelines import catalog
from pipelines.engines.choose import FAST_ON_CPU
from pipelines.engines.engine import Engine, slabs
from pipelines.engines.hardware import processor_name
from pipelines.engines.torch_engine import TorchEngine
from pipelines.errors import EngineError
from pipelines.mr_to_ct.models import read_networks
from pipelines.mr_to_ct.networks import Design
from pipelines.mr_to_ct.pipeline import NAME
from pipelines.mr_to_ct.stacked import Stacked

RESULTS = Path(__file__).parent / "results" / "mr_to_ct.md"
EAGER = "eager PyTorch fp32 (rival)"
SIDE = 256
"""Rows and columns of a dual-echo slice."""


def main() -> None:
    """Read the command line, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=40, help="of a study (default 40)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    given = parser.parse_args()
    page = table(given.slices, given.repeats, given.threads)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(page, encoding="utf-8")
    print(page)


def table(count: int, repeats: int, threads: int) -> str:
    """The page."""
    before = os.getloadavg()[0]
    weights = catalog.weights_path(NAME).read_bytes()
    rows: list[str] = []
    for name in read_networks(weights):
        rows += rows_of(name, weights, (count, repeats, threads))
    clock = "processor time, one thread" if threads == 1 else f"{threads} threads"
    return (
        "# CT from MR: the engines\n\n"
        f"Made by `python -m benchmarks.mr_to_ct --slices {count} --repeats {repeats} --threads "
        f"{threads}` on {processor_name()}; {clock}, medians of {repeats} turns; load average "
        f"{before:.1f} before. A study is {count} slices of {SIDE} x {SIDE}, asked about once; as "
        "served, with both answers, every figure in seconds doubles.\n\n"
        "| model | engine | seconds a study | times eager | largest difference, HU |\n"
        "|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def rows_of(name: str, weights: bytes, settings: tuple[int, int, int]) -> list[str]:
    """The rows of one model."""
    count, repeats, threads = settings
    design = read_networks(weights)[name][0]
    images = study(design, count)
    found = engines(name, weights, threads)
    outputs = {engine: run(one, images[:3], design) for engine, one in found.items()}
    actions: dict[str, Action] = {
        engine: partial(run, one, images, design) for engine, one in found.items()
    }
    seconds = {n: took.seconds(threads) for n, took in in_turns(actions, repeats).items()}
    return [
        f"| {name} | {engine} | {took:.2f} | {seconds[EAGER] / took:.2f} | "
        f"{np.abs(outputs[engine] - outputs[EAGER]).max():.2g} |"
        for engine, took in seconds.items()
    ]


def engines(name: str, weights: bytes, threads: int) -> dict[str, Engine]:
    """The processor's engines that can run a model; the reference first."""

    def network() -> tuple[Design, Stacked]:
        design, made = read_networks(weights)[name]
        return design, Stacked(made, len(design.inputs))

    design, made = network()
    found: dict[str, Engine] = {EAGER: TorchEngine(made, design.context)}
    for engine, make in FAST_ON_CPU.items():
        try:
            found[f"{engine} fp32"] = make(network()[1], design.context, threads)
        except EngineError:
            continue  # it is not given what this network is made of
    return found


def study(design: Design, count: int) -> npt.NDArray[np.float32]:
    """A study as the network is fed, (slices, modalities x rows, columns)."""
    shape = (count, len(design.inputs) * SIDE, SIDE)
    return np.random.default_rng(0).random(shape).astype(np.float32)


def run(engine: Engine, images: npt.NDArray[np.float32], design: Design) -> npt.NDArray[np.float32]:
    """The CT of a study."""
    return np.concatenate(list(engine.run(slabs(images, design.context, engine.batch))))


if __name__ == "__main__":
    main()
