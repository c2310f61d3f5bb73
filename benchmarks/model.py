"""How fast and how exact the engines are, and how much memory a long series takes.

    python -m benchmarks.model                    processor: our engine, OpenVINO, eager PyTorch;
                                                  then peak memory for 100 and 2,000 slices
    python -m benchmarks.model --memory           only peak memory
    python -m benchmarks.model --device cuda      GPU: slices/s and share of its bf16 ceiling

Rivals run in one process, in turns; medians of the repeats. Each part writes its own section of
benchmarks/results/model.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.model_gpu import gpu
from benchmarks.model_parts import (
    SERIES,
    Action,
    Stream,
    Voxels,
    engine_title,
    error_cells,
    in_turns,
    network,
    real_slices,
    run,
    timed,
    write_section,
)
from dicom_profiles.volume import Volume
from pipelines import load
from pipelines.engines.engine import Engine
from pipelines.engines.hardware import processor_name
from pipelines.engines.torch_engine import TorchEngine
from pipelines.ldct_denoise.network import CONTEXT

MEMORY_SLICES = (100, 2000)
EAGER = "eager PyTorch fp32 (rival)"


def engines(threads: int = 0) -> dict[str, Engine]:
    """The processor's engines by the names of the table; the reference first; 0 is all cores."""
    # late, since a bare GPU machine has neither
    from pipelines.engines.ncnn_engine import NcnnEngine
    from pipelines.engines.openvino_engine import OpenVinoEngine

    return {
        EAGER: TorchEngine(network(), CONTEXT),
        engine_title("openvino", "OpenVINO"): OpenVinoEngine(network(), CONTEXT, threads),
        engine_title("ncnn", "ncnn"): NcnnEngine(network(), CONTEXT, threads),
    }


def processor(images: Voxels, source: str, repeats: int) -> str:
    """The section on processor engines."""
    before = os.getloadavg()[0]
    rivals, scanner = engines(), load("ldct_denoise", device="cpu")
    outputs = {name: run(engine, images) for name, engine in rivals.items()}  # warms up, too
    actions: dict[str, Action] = {n: partial(run, engine, images) for n, engine in rivals.items()}
    whole = {"CT": Volume(images, np.eye(4))}
    actions["whole pipeline with ours, quality record included"] = partial(scanner, whole)
    seconds = {name: took.wall for name, took in in_turns(actions, repeats).items()}
    rows = [
        f"| {name} | {len(images) / took:.2f} | {seconds[EAGER] / took:.2f} | "
        f"{error_cells(outputs.get(name), outputs[EAGER])} |"
        for name, took in seconds.items()
    ]
    return "\n".join(
        [
            f"{processor_name()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}; "
            f"{len(images)} slices of {images.shape[1]} x {images.shape[2]} ({source}), "
            f"median of {repeats} repeats in turns; load of the machine before {before:.1f}.",
            "",
            "| engine | slices/s | beside eager | largest error | mean error |",
            "|---|---|---|---|---|",
            *rows,
            "",
            _on_one_thread(images, repeats),
        ]
    )


def _on_one_thread(images: Voxels, repeats: int) -> str:
    """Processor time on one thread, which hardly depends on what else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    actions: dict[str, Action] = {n: partial(run, e, images) for n, e in engines(1).items()}
    in_turns(actions, 1)
    seconds = {name: took.processor for name, took in in_turns(actions, repeats).items()}
    torch.set_num_threads(threads)
    figures = [
        f"{name} {took / len(images):.3f} s ({seconds[EAGER] / took:.2f} times eager)"
        for name, took in seconds.items()
    ]
    return "Processor time of a slice on one thread: " + ", ".join(figures) + "."


def peak_memory(count: int, device: str) -> str:
    """Stream a series and say what it took: run in a process of its own."""
    scanner = load("ldct_denoise", device=device)
    loaded = _peak_mb()
    took = timed(lambda: sum(1 for _ in scanner.translate({"CT": Stream(count)}).slices))
    return f"| {count} | {loaded:.0f} | {_peak_mb():.0f} | {count / took.wall:.1f} |"


def _peak_mb() -> float:
    """High-water mark of this process's resident memory, MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000


def memory(device: str) -> str:
    """The section on memory: a fresh process for every length."""
    command = [sys.executable, "-m", "benchmarks.model", "--device", device, "--one-memory-run"]
    rows = [
        subprocess.run([*command, str(count)], check=True, capture_output=True, text=True).stdout
        for count in MEMORY_SLICES
    ]
    return "\n".join(
        [
            f"Whole pipeline on {device}, slices of 512 x 512 streamed in and out.",
            "",
            "| slices | peak after loading, MB | peak, MB | slices/s |",
            "|---|---|---|---|",
            *(row.strip() for row in rows),
        ]
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--series", type=Path, default=SERIES, help="DICOM folder or .npz")
    parser.add_argument("--slices", type=int, help="how many of it (12; GPU: 512)")
    parser.add_argument("--repeats", type=int, default=7, help="turns")
    parser.add_argument("--memory", action="store_true", help="only the section on memory")
    parser.add_argument("--one-memory-run", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_memory_run:
        print(peak_memory(given.one_memory_run, given.device))
    elif given.device != "cpu":
        images = real_slices(given.series, 64)
        write_section("GPU", gpu(images, given.slices or 512, given.repeats, given.device))
    else:
        if not given.memory:
            images = real_slices(given.series, given.slices or 12)
            write_section("Processor", processor(images, given.series.name, given.repeats))
        write_section("Memory", memory(given.device))


if __name__ == "__main__":
    main()
