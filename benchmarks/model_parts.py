"""What the benchmarks of the model share: slices, the network, turns, the page of results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch

from dicom_profiles.reading import read_series
from pipelines import catalog
from pipelines.contract import Slice
from pipelines.engines.choose import fastest_first
from pipelines.engines.engine import Engine, slabs
from pipelines.ldct_denoise.network import CONTEXT, DenoisingNetwork

RESULTS = Path(__file__).parent / "results" / "model.md"
HEADING = "# Model: engines of ldct_denoise\n\nMade by `python -m benchmarks.model`.\n"
SERIES = Path(__file__).parents[1] / "demo" / "samples" / "low_dose_chest"
"""512 x 512; engines take as long for any image."""

Voxels = npt.NDArray[np.float32]
Action = Callable[[], object]


def real_slices(source: Path, count: int) -> Voxels:
    """Slices of a DICOM folder or of an .npz file with `voxels`, (count, rows, columns) in HU."""
    voxels: Voxels
    if source.suffix == ".npz":
        voxels = np.load(source)["voxels"].astype(np.float32)
    else:
        voxels = read_series(source).voxels
    start = max((len(voxels) - count) // 2, 0)
    return voxels[start : start + count]


def engine_title(name: str, written: str) -> str:
    """How a table calls an engine of the processor: whether it is the one served on this machine.

    Args:
        name: of the engine.
        written: as its makers write it.
    """
    return f"{written} fp32 ({'ours' if name == fastest_first()[0] else 'our second choice'})"


def network() -> DenoisingNetwork:
    """The network with the weights that are shipped."""
    model = DenoisingNetwork()
    model.load_state_dict(safetensors.torch.load_file(catalog.weights_path("ldct_denoise")))
    return model.eval()


def run(engine: Engine, images: Voxels) -> Voxels:
    """All slices through an engine."""
    return np.concatenate(list(engine.run(slabs(images, CONTEXT, engine.batch))))


@dataclass(frozen=True, eq=False)
class Took:
    """What an action took, and what came of it.

    Attributes:
        wall: seconds by the clock on the wall.
        processor: seconds of the processor, all threads of this process together: they hardly
            depend on what else the machine does.
        made: what the action gave.
    """

    wall: float
    processor: float
    made: Any

    def seconds(self, threads: int) -> float:
        """Seconds to state: on one thread those of the processor."""
        return self.processor if threads == 1 else self.wall


def in_turns(actions: Mapping[str, Action], repeats: int) -> dict[str, Took]:
    """Median seconds of every action, all in turns, so that a busy moment hits every one."""
    took: dict[str, list[Took]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            took[name].append(timed(action))
    return {
        name: Took(
            median(one.wall for one in turns),
            median(one.processor for one in turns),
            turns[-1].made,
        )
        for name, turns in took.items()
    }


def timed(action: Action) -> Took:
    """What an action takes, once."""
    wall, processor = time.perf_counter(), time.process_time()
    made = action()
    return Took(time.perf_counter() - wall, time.process_time() - processor, made)


def error_cells(output: Voxels | None, reference: Voxels) -> str:
    """Two cells of a table: largest and mean error in HU."""
    if output is None:
        return "– | –"
    error = np.abs(output - reference)
    return f"{error.max():.4f} HU | {error.mean():.5f} HU"


@dataclass
class Stream:
    """A series that exists only slice by slice: noise over a body, made when asked."""

    count: int
    size: int = 512

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.count, self.size, self.size

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        return np.eye(4)

    @property
    def frame_of_reference(self) -> str:
        return ""

    def slices(self) -> Iterator[Slice]:
        rows, columns = np.ogrid[-1 : 1 : self.size * 1j, -1 : 1 : self.size * 1j]
        body = np.where(rows**2 + columns**2 < 0.7, 40.0, -1000.0).astype(np.float32)
        random = np.random.default_rng(0)
        for _ in range(self.count):
            yield body + random.standard_normal(body.shape, np.float32) * np.float32(30)


def write_section(title: str, text: str) -> None:
    """Put a section into the results in the place of the one of that title."""
    RESULTS.parent.mkdir(exist_ok=True)
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else HEADING
    head, *sections = old.split("\n## ")
    kept = {section.partition("\n")[0]: section.partition("\n")[2].strip() for section in sections}
    kept[title] = text.strip()
    body = "".join(f"\n## {name}\n\n{content}\n" for name, content in kept.items())
    RESULTS.write_text(head.rstrip() + "\n" + body, encoding="utf-8")
    print(f"## {title}\n\n{text}\n", flush=True)
