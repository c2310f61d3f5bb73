"""Pairs as the networks of `cesm_vce` are trained on: framed, kept, varied.

A source is `simulated:COUNT`, `null:COUNT` (iodine independent of the tissue), `cdd:ROOT` or
`excerpt:FOLDER` (both CDD-CESM, see `trainers.readers.cdd_cesm`), or a side of a gathered data set
(`set:DIR:train`, see `trainers.readers.gathered_mammograms`); `@WEIGHT` after it gives its part
of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from tqdm import tqdm

from pipelines.cesm_vce.framing import BACKGROUND_SHARE, SIZE, framed, resized, scale_of
from trainers.readers.cdd_cesm import MammogramPair, read_cdd_cesm, read_excerpt
from trainers.readers.gathered_mammograms import read_gathered_mammograms
from trainers.simulation.drawn_breast import Iodine, draw_breast
from trainers.simulation.dual_energy import image_breast
from trainers.training.errors import SourceError
from trainers.training.patches import corner_around, cut
from trainers.training.sources import count_of, weight_of

WITHOUT_IODINE = 0.2
"""Share of simulated pairs that were made before the injection."""

VARIED = 0.3
"""Probability of each variation."""

LARGEST_SHIFT, LARGEST_ZOOM, LARGEST_TURN = 0.1, 0.1, 15.0
"""Share of the side, share, degrees (arXiv 2308.00471)."""

GAMMAS = (0.6, 1.6)
"""Of the low-energy image: vendors' ways to present differ."""

PLANES = ("low", "recombined", "enhancement", "lesions")
"""What is kept of each pair."""

READERS: Mapping[str, Callable[[Path], Iterator[MammogramPair]]] = {
    "cdd": read_cdd_cesm,
    "excerpt": read_excerpt,
    "set": read_gathered_mammograms,
}
"""Real pairs, by the prefix of their source."""

Planes = npt.NDArray[np.float32]
"""(n, SIZE, SIZE) float32."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Framed pairs of one source.

    Attributes:
        names: for reports.
        patients: one each.
        low: low-energy images, 0 to 1, air 0.
        recombined: what is wanted, 0 to 1, 0 outside the breast.
        enhancement: what iodine made of it, where it is known; else zeros.
        lesions: 1 inside a finding.
        share: of a batch.
    """

    names: tuple[str, ...]
    patients: tuple[str, ...]
    low: Planes
    recombined: Planes
    enhancement: Planes
    lesions: Planes
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def side(self) -> int:
        """Pixels along a side of the square."""
        return int(self.low.shape[-1])

    def shrunk(self, side: int) -> Pairs:
        """The same pairs in a smaller square, each pixel the mean of what it covers."""
        if side == self.side:
            return self
        low, recombined, enhancement, lesions = (
            np.array([resized(plane, side) for plane in getattr(self, name)], np.float32)
            for name in PLANES
        )
        return replace(
            self, low=low, recombined=recombined, enhancement=enhancement, lesions=lesions
        )

    def of(self, patients: Iterable[str], *, without: bool = False) -> Pairs:
        """Only pairs of these patients, or all but those."""
        wanted = set(patients)
        places = [i for i, one in enumerate(self.patients) if (one in wanted) != without]
        return Pairs(
            names=tuple(self.names[i] for i in places),
            patients=tuple(self.patients[i] for i in places),
            low=self.low[places],
            recombined=self.recombined[places],
            enhancement=self.enhancement[places],
            lesions=self.lesions[places],
            share=self.share,
        )


def patients_of(sources: Iterable[Pairs]) -> Iterator[str]:
    """Whose pairs these are."""
    return chain.from_iterable(source.patients for source in sources)


def read_source(source: str, kept: Path, seed: int = 1) -> Pairs:
    """Read or simulate one source, or find it among what an earlier run kept.

    Args:
        source: see above.
        kept: folder of prepared pairs.
        seed: of simulated pairs.

    Raises:
        SourceError: it is of another kind, holds no pair, or its count or weight is no number
            above 0.
    """
    place, _, weight = source.partition("@")
    kind, _, rest = place.partition(":")
    share = weight_of(weight, source, f"{place}@0.5")
    if kind in ("simulated", "null"):
        count = count_of(rest, source, f"{kind}:700")
        file = kept / f"{kind}_{rest}_{seed}.npz"
        if not file.exists():
            save(framed_pairs(simulated(count, kind == "null", seed), count), file)
        return load(file, share)
    if kind not in READERS:
        raise SourceError(f"A source is simulated:, null:, cdd:, excerpt: or set:, got {source!r}.")
    found = ((pair, None) for pair in READERS[kind](Path(rest)))
    first = next(found, None)
    if first is None:
        raise SourceError(f"A pair of mammograms at least is wanted, none was found in {source}.")
    return replace(framed_pairs(chain([first], found)), share=share)


Simulated = tuple[MammogramPair, npt.NDArray[np.float32] | None]
"""A pair, and what the iodine made of it where that is known."""


def simulated(count: int, independent: bool, seed: int) -> Iterator[Simulated]:
    """Simulated pairs; of the null case when `independent`."""
    for index in range(count):
        random = np.random.default_rng([seed, index])
        breast = draw_breast(random)
        iodine = Iodine.INDEPENDENT if independent else Iodine.CORRELATED
        if not independent and random.random() < WITHOUT_IODINE:
            iodine = Iodine.NONE
        made = image_breast(breast, iodine, SIZE, int(SIZE * random.uniform(0.5, 0.8)))
        name = f"simulated {seed}.{index}"
        pair = MammogramPair(name, name, made.low_energy, made.recombined, made.lesions)
        yield pair, made.enhancement


def framed_pairs(pairs: Iterable[Simulated], count: int | None = None) -> Pairs:
    """Put every pair into the network's square."""
    names: list[str] = []
    patients: list[str] = []
    tables: list[tuple[npt.NDArray[np.float32], ...]] = []
    for pair, enhancement in tqdm(pairs, total=count, unit="pair", leave=False):
        put = framed(pair.low_energy)
        nothing = np.zeros_like(pair.low_energy)
        lesions = nothing if pair.lesions is None else pair.lesions.astype(np.float32)
        parts = (pair.low_energy, pair.recombined, nothing if enhancement is None else enhancement)
        squares = [resized(put.frame.pad(part), SIZE) for part in (*parts, lesions)]
        tables.append(tuple(np.where(put.breast, square, 0.0) for square in squares))
        names.append(pair.name)
        patients.append(pair.patient)
    low, recombined, made, inside = (
        np.array(column, np.float32) for column in zip(*tables, strict=True)
    )
    return Pairs(tuple(names), tuple(patients), low, recombined, made, inside)


def save(pairs: Pairs, file: Path) -> None:
    """Keep prepared pairs, as half-precision numbers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    planes = {name: getattr(pairs, name).astype(np.float16) for name in PLANES}
    with file.with_suffix(".part").open("wb") as part:
        np.savez_compressed(part, names=pairs.names, patients=pairs.patients, **planes)
    file.with_suffix(".part").rename(file)


def load(file: Path, share: float = 1.0) -> Pairs:
    """Prepared pairs."""
    with np.load(file) as found:
        planes = {name: found[name].astype(np.float32) for name in PLANES}
        names, patients = (tuple(str(v) for v in found[k]) for k in ("names", "patients"))
    return Pairs(names=names, patients=patients, share=share, **planes)


def draw_batch(
    sources: Sequence[Pairs],
    count: int,
    random: np.random.Generator,
    *,
    paired: bool = True,
    side: int = SIZE,
) -> Mapping[str, Planes]:
    """Draw varied pairs: `seen`, `wanted` and `lesions`, (count, 1, side, side) each.

    Args:
        sources: by whose share they are drawn.
        count: pairs.
        random: decides everything.
        paired: else what is wanted is that of another pair (CycleGAN without pairs).
        side: of the patch, which lies around a point of the breast; as large as the square, it
            is the square.
    """
    shares = np.array([source.share for source in sources])
    drawn = []
    for _ in range(count):
        source = sources[random.choice(len(sources), p=shares / shares.sum())]
        place = int(random.integers(len(source)))
        seen, wanted, lesions = varied(source, place, random, side)
        if not paired:
            wanted = varied(source, int(random.integers(len(source))), random, side)[1]
        drawn.append((seen, wanted, lesions))
    columns = (np.array(column, np.float32)[:, None] for column in zip(*drawn, strict=True))
    return dict(zip(("seen", "wanted", "lesions"), columns, strict=True))


def varied(
    pairs: Pairs, place: int, random: np.random.Generator, side: int = SIZE
) -> tuple[npt.NDArray[np.float32], ...]:
    """One pair moved, turned, zoomed, mirrored, its low-energy display changed.

    Args:
        pairs: of one source.
        place: which of them.
        random: decides everything.
        side: of the patch.
    """
    gamma = np.exp(random.uniform(*np.log(GAMMAS)))
    planes = [seen_of(pairs.low[place] ** gamma), pairs.recombined[place], pairs.lesions[place]]
    if side < pairs.side:
        inside = np.argwhere(pairs.low[place] > 0)
        whole = pairs.side, pairs.side
        corner = corner_around(inside[random.integers(len(inside))], whole, (side, side))
        planes = [cut(plane, corner, (side, side)) for plane in planes]
    moves = random.random(4) < VARIED
    angle = np.radians(random.uniform(-LARGEST_TURN, LARGEST_TURN)) if moves[0] else 0.0
    zoom = random.uniform(1 - LARGEST_ZOOM, 1 + LARGEST_ZOOM) if moves[1] else 1.0
    reach = LARGEST_SHIFT * planes[0].shape[0]
    shift = random.uniform(-reach, reach, 2) if moves[2] else np.zeros(2)
    if moves[:3].any():
        planes = [_moved(plane, float(angle), zoom, shift) for plane in planes]
    if moves[3]:
        planes = [plane[:, ::-1] for plane in planes]
    return tuple(planes)


def _moved(
    plane: npt.NDArray[np.float32], angle: float, zoom: float, shift: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """A plane turned (radians) and zoomed about its middle and shifted (pixels)."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    middle = (np.array(plane.shape) - 1) / 2
    moved = ndimage.affine_transform(plane, turn, middle - turn @ (middle + shift), order=1)
    return np.asarray(moved, np.float32)


def seen_of(low: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A framed low-energy image, air 0, as the network sees it."""
    breast = low > BACKGROUND_SHARE * float(low.max())
    seen = scale_of(low[breast]).apply(low)
    return np.where(breast, seen, np.float32(0.0))
