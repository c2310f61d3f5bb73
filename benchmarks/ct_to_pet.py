"""How fast PET from CT is: seconds for a study by our engine, beside eager PyTorch and MONAI.

    python -m benchmarks.ct_to_pet

Rivals and ours translate the same body by the same network (the single one) with the same patches,
overlap and weights, in one process, in turns; medians of the repeats. Rivals are given the scan,
as they would be, and besides the box round the body that ours works out, where they translate no
more air than its corners.
Writes benchmarks/results/ct_to_pet.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference

from dicom_profiles.reading import read_series
from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.ct_to_pet.body import Mask, body_mask
from pipelines.ct_to_pet.grid import Cubes, WorkingGrid
from pipelines.ct_to_pet.network import CHANNELS, channels, quantities
from pipelines.ct_to_pet.patches import Place, around, translated
from pipelines.ct_to_pet.pipeline import INPUT, NAME
from pipelines.ct_to_pet.uptake import TRIAL_CUBES
from pipelines.ct_to_pet.weights import SINGLE, StoredNetwork, read_networks
from pipelines.engines.hardware import processor_name
from pipelines.engines.patch_engine import PatchEngine, TorchPatchEngine, choose_patch_engine

RESULTS = Path(__file__).parent / "results" / "ct_to_pet.md"
STUDY = Path(__file__).parents[1] / "demo" / "samples" / "whole_body"
EAGER = "eager PyTorch fp32, patch by patch (rival)"
MONAI = "MONAI sliding_window_inference (rival)"
EAGER_BOX, MONAI_BOX = f"{EAGER}, given our box", f"{MONAI}, given our box"
SKIPPING = "ours, PyTorch fp32"
OURS = "ours, {} fp32"
WHOLE = "the pipeline"
HEAD = (
    "| the single network over the body | processor, s | wall, s | times eager | times MONAI | "
    "times eager, box | times MONAI, box | largest difference | mean difference |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
MONAI_BATCH = 4
"""Windows at once, MONAI's usual number."""


@dataclass(frozen=True, eq=False)
class Study:
    """A CT on cubes, and the box round its body.

    Attributes:
        seen: (3, z, y, x).
        body: (z, y, x).
        box: where the body lies, with an overlap about it.
    """

    seen: Cubes
    body: Mask
    box: Place

    @property
    def boxed(self) -> Cubes:
        """What is seen in the box."""
        return np.ascontiguousarray(self.seen[(slice(None), *self.box)])

    def unboxed(self) -> Study:
        """The same without a box: the whole scan."""
        z, y, x = (slice(0, count) for count in self.body.shape)
        return replace(self, box=(z, y, x))


@dataclass(frozen=True, eq=False)
class Took:
    """Seconds of processor and of the clock on the wall, and what came of it."""

    processor: float
    wall: float
    made: Any


def main() -> None:
    """Read the command line, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=STUDY, help="folder of a whole-body CT")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads (default 1)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    page = table(read_series(given.study), given.repeats, given.threads)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(page, encoding="utf-8")
    print(page)


def table(ct: Volume, repeats: int, threads: int) -> str:
    """The page."""
    before = os.getloadavg()[0]
    stored = read_networks(catalog.weights_path(NAME).read_bytes())[SINGLE]
    study = on_cubes(ct, stored.facts.overlap)
    ways = all_ways(stored, threads)
    took = in_turns({name: partial(way, study) for name, way in ways.items()}, repeats)
    scanner = load(NAME, device="cpu", threads=threads)
    whole = in_turns({WHOLE: lambda: scanner({INPUT: ct})}, repeats)[WHOLE]
    rows = [row(name, took, study.body) for name in took]
    return (
        "# PET from CT: the engines\n\n"
        f"Made by `python -m benchmarks.ct_to_pet --repeats {repeats} --threads {threads}` on "
        f"{processor_name()}, {threads} thread{'s' * (threads > 1)}, medians of {repeats} turns; "
        f"load average {before:.1f} before. PyTorch {torch.__version__}, MONAI "
        f"{version('monai')}.\n\n{described(ct, study, stored)}{HEAD}"
        + "\n".join(rows)
        + "\n\nA whole study through the pipeline (CT in, single model and district models, "
        f"stitching, PET on the CT's slices, quality record): processor {whole.processor:.2f} s, "
        f"wall {whole.wall:.2f} s.\n"
    )


def described(ct: Volume, study: Study, stored: StoredNetwork) -> str:
    """What is translated, and how."""
    slices, rows, columns = ct.voxels.shape
    scan, box = (" x ".join(map(str, shape)) for shape in (study.body.shape, study.boxed.shape[1:]))
    return (
        f"The study: {slices} slices of {rows} x {columns}, a scan of {scan} cubes of 4 mm, of "
        f"which the box round the body is {box}. Patches of {stored.facts.patch} cubes, overlap "
        f"{stored.facts.overlap}, the same weights in every average. The difference is in SUV, in "
        "the body, from eager PyTorch on the same patches: those of the scan for its two rivals, "
        "those of the box for the rest.\n\n"
    )


def row(name: str, took: Mapping[str, Took], body: Mask) -> str:
    """A line of the table: times by the processor's clock."""
    own = took[name]
    rivals = (EAGER, MONAI, EAGER_BOX, MONAI_BOX)
    faster = " | ".join(f"{took[rival].processor / own.processor:.2f}" for rival in rivals)
    reference = EAGER if name in (EAGER, MONAI) else EAGER_BOX
    away = np.abs(own.made[body] - took[reference].made[body])
    seconds = f"{own.processor:.2f} | {own.wall:.2f}"
    return f"| {name} | {seconds} | {faster} | {away.max():.2g} | {away.mean():.2g} |"


Way = Callable[[Study], Cubes]


def all_ways(stored: StoredNetwork, threads: int) -> dict[str, Way]:
    """Rivals and ours, by name."""
    fast = choose_patch_engine(stored.network, (CHANNELS, *[TRIAL_CUBES] * 3), "cpu", threads)
    return {
        EAGER: lambda study: patch_by_patch(stored, study.unboxed()),
        MONAI: lambda study: by_monai(stored, study.unboxed()),
        EAGER_BOX: partial(patch_by_patch, stored),
        MONAI_BOX: partial(by_monai, stored),
        SKIPPING: partial(by_ours, stored, TorchPatchEngine(stored.network)),
        OURS.format(fast.facts.name): partial(by_ours, stored, fast),
    }


def on_cubes(ct: Volume, overlap: int) -> Study:
    """A CT as the networks see it."""
    slices, rows, columns = ct.voxels.shape
    grid = WorkingGrid.of((slices, rows, columns), ct.affine)
    averages = grid.averaged(quantities(image) for image in ct.voxels)
    body = body_mask(averages[0])
    return Study(channels(averages), body, around(body, overlap))


def by_ours(stored: StoredNetwork, engine: PatchEngine, study: Study) -> Cubes:
    """As the pipeline does it: patches without a cube of the body are skipped."""
    return translated(study.seen, study.body, stored.facts.tiling, engine.run, engine.batch)


def patch_by_patch(stored: StoredNetwork, study: Study) -> Cubes:
    """Eager PyTorch over every patch of the box."""
    engine = TorchPatchEngine(stored.network)
    everywhere = np.ones(study.body[study.box].shape, np.bool_)
    result = np.zeros(study.body.shape, np.float32)
    result[study.box] = translated(
        study.boxed, everywhere, stored.facts.tiling, engine.run, engine.batch
    )
    return result


def by_monai(stored: StoredNetwork, study: Study) -> Cubes:
    """MONAI's sliding window over the box."""
    tiling = stored.facts.tiling
    window = tiling.window(study.boxed.shape[1:])
    with torch.inference_mode():
        made: Any = sliding_window_inference(
            torch.from_numpy(study.boxed)[np.newaxis], window, MONAI_BATCH, stored.network,
            overlap=[tiling.overlap / side for side in window],
            roi_weight_map=torch.from_numpy(tiling.weights(window)),
        )  # fmt: skip
    result = np.zeros(study.body.shape, np.float32)
    result[study.box] = made[0, 0].numpy()
    return result


def in_turns(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Took]:
    """Median seconds of every action, all in turns, so that a busy moment hits every one."""
    took: dict[str, list[Took]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            processor, wall = time.process_time(), time.perf_counter()
            made = action()
            seconds = time.process_time() - processor, time.perf_counter() - wall
            took[name].append(Took(*seconds, made))
    return {
        name: Took(
            median(one.processor for one in each), median(one.wall for one in each), each[-1].made
        )
        for name, each in took.items()
    }


if __name__ == "__main__":
    main()
