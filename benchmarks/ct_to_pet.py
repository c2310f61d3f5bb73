"""How fast PET from CT is: seconds for a study by our engine, beside eager PyTorch and MONAI.

    python -m benchmarks.ct_to_pet

Rivals and ours translate the same body by the same network (the single one), in one process, in
turns; medians of the repeats. Rivals are given the scan in windows of 80 cubes with an overlap of
16, as a user would; besides they are given the box round the body that ours works out, where they
translate no more air than its corners. Ours cuts its own windows, so its difference from a rival is
also one of context: the same windows by eager PyTorch say how much is the engine's.
Writes benchmarks/results/ct_to_pet.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers.utils import sliding_window_inference

from benchmarks.model_parts import Took, in_turns
from dicom_profiles.reading import read_series
from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.ct_to_pet.body import Mask, body_mask
from pipelines.ct_to_pet.grid import Cubes, WorkingGrid
from pipelines.ct_to_pet.network import CHANNELS, channels, quantities
from pipelines.ct_to_pet.patches import Place, Tiling, around, translated
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
SKIPPING = "ours, eager PyTorch fp32"
OURS = "ours, {} fp32"
WHOLE = "the pipeline"
HEAD = (
    "| the single network over the body | processor, s | wall, s | times eager | times MONAI | "
    "times eager, box | times MONAI, box | largest difference | mean difference |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)
RIVAL = Tiling(80, 16, tapered=True)
"""Windows of the rivals: as ours were until version 1.1.0."""

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
    context = apart(took[SKIPPING], took[EAGER], study.body)
    return (
        "# PET from CT: the engines\n\n"
        f"Made by `python -m benchmarks.ct_to_pet --repeats {repeats} --threads {threads}` on "
        f"{processor_name()}, {threads} thread{'s' * (threads > 1)}, medians of {repeats} turns; "
        f"load average {before:.1f} before. PyTorch {torch.__version__}, MONAI "
        f"{version('monai')}.\n\n{described(ct, study, stored)}{HEAD}"
        + "\n".join(rows)
        + f"\n\nOther windows see other surroundings: ours differ from the rivals' on the scan by "
        f"{context.mean():.2g} SUV in the mean.\n\nA whole study through the pipeline (CT in, "
        "single model and district models, stitching, PET on the CT's slices, quality record): "
        f"processor {whole.processor:.2f} s, wall {whole.wall:.2f} s.\n"
    )


def described(ct: Volume, study: Study, stored: StoredNetwork) -> str:
    """What is translated, and how."""
    slices, rows, columns = ct.voxels.shape
    scan, box = (by_sides(shape) for shape in (study.body.shape, study.boxed.shape[1:]))
    own = [
        by_sides([along.stop - along.start for along in window])
        for window in stored.facts.tiling.windows(study.body)
    ]
    return (
        f"The study: {slices} slices of {rows} x {columns}, a scan of {scan} cubes of 4 mm, of "
        f"which the box round the body is {box}. The rivals' windows are {RIVAL.patch} cubes along "
        f"every side, overlap {RIVAL.overlap}; ours are {', '.join(own)}. The difference is in "
        "SUV, in the body, from eager PyTorch on the same windows: those of the scan, of the box, "
        "ours.\n\n"
    )


def by_sides(sides: Iterable[int]) -> str:
    """Cubes along z, y, x as words."""
    return " x ".join(map(str, sides))


def row(name: str, took: Mapping[str, Took], body: Mask) -> str:
    """A line of the table: times by the processor's clock."""
    own = took[name]
    rivals = (EAGER, MONAI, EAGER_BOX, MONAI_BOX)
    faster = " | ".join(f"{took[rival].processor / own.processor:.2f}" for rival in rivals)
    reference = {EAGER: EAGER, MONAI: EAGER, EAGER_BOX: EAGER_BOX, MONAI_BOX: EAGER_BOX}
    away = apart(own, took[reference.get(name, SKIPPING)], body)
    seconds = f"{own.processor:.2f} | {own.wall:.2f}"
    return f"| {name} | {seconds} | {faster} | {away.max():.2g} | {away.mean():.2g} |"


def apart(one: Took, other: Took, body: Mask) -> npt.NDArray[np.float32]:
    """How far two results are from each other in the cubes of the body, SUV."""
    return np.asarray(np.abs(one.made[body] - other.made[body]))


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
    result[study.box] = translated(study.boxed, everywhere, RIVAL, engine.run, engine.batch)
    return result


def by_monai(stored: StoredNetwork, study: Study) -> Cubes:
    """MONAI's sliding window over the box."""
    window = [RIVAL.patch] * 3
    with torch.inference_mode():
        made: Any = sliding_window_inference(
            torch.from_numpy(study.boxed)[np.newaxis], window, MONAI_BATCH, stored.network,
            overlap=RIVAL.overlap / RIVAL.patch,
            roi_weight_map=torch.from_numpy(RIVAL.weights((RIVAL.patch,) * 3)),
        )  # fmt: skip
    result = np.zeros(study.body.shape, np.float32)
    result[study.box] = made[0, 0].numpy()
    return result


if __name__ == "__main__":
    main()
