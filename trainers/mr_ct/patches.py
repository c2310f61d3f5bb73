"""Patches of MR and CT for training, drawn and varied: turned, zoomed, mirrored, shaded, noisy.

Parameters are drawn first, then applied, all from one random generator: a step is repeatable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import binary_opening, distance_transform_edt, zoom
from torch import Tensor
from torch.nn import functional

from pipelines.mr_to_ct.padding import filled, reach_of
from pipelines.mr_to_ct.scaling import bright_end, scaled
from trainers.mr_ct.couch import AIR_HU, without_couch
from trainers.readers.mr_ct import MrCtSeries
from trainers.training.errors import SourceError

BODY_ABOVE_HU = -500.0
MR_BODY_ABOVE = 0.1
MR_TISSUE_ABOVE = 0.2
BONE_ABOVE_HU = 150.0
OUTSIDE_SHARE, FAR_SHARE, AROUND_PIXELS = 0.01, 0.3, 16.0
"""Weight of an error outside the true body, near to what the MR shows of it, and further away.
Posture differs between the two examinations: within so many pixels the skin may lie anywhere,
and a model that calls flesh air is wrong by 1000 HU; further away there is air, and it should be
seen as such."""

LARGEST_TURN = 0.35  # rad
ZOOM = (0.85, 1.18)
GAIN = (0.9, 1.12)
GAMMA = (0.88, 1.14)
SHADE = 0.15  # largest change of gain from the middle to the border, each axis
NOISE = 0.03  # of the bright end
FADE = (0.0, 3.0)
"""Surface coils fade: the exponent by which brightness falls across a patch, in one of `FADED`."""
FADED = 0.25


@dataclass(frozen=True, eq=False)
class Stack:
    """One patient, ready to draw from.

    Attributes:
        patient: a name for reports.
        mr: (modalities, slices, rows, columns) float32, bright end 1; none for a CT alone.
        ct: (slices, rows, columns) float32, HU; none for MR alone.
    """

    patient: str
    mr: npt.NDArray[np.float32] | None
    ct: npt.NDArray[np.float32] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        image = self.ct if self.ct is not None else self.mr[0] if self.mr is not None else None
        assert image is not None
        slices, rows, columns = image.shape
        return slices, rows, columns


@dataclass(frozen=True, eq=False)
class Patches:
    """A batch.

    Attributes:
        mr: (B, planes, H, W), bright end 1; planes are modalities x slices, slices fastest.
        ct: (B, 1, H, W), HU.
        weight: (B, 1, H, W), of each pixel's error; 0 where there is no image.
    """

    mr: Tensor
    ct: Tensor
    weight: Tensor


def check_sides(stacks: Sequence[Stack], *, paired: bool) -> None:
    """See that there is what a mode learns from.

    Args:
        stacks: to train on.
        paired: MR and CT of every patient, else of anybody.

    Raises:
        SourceError: there is not.
    """
    alone = [stack.patient for stack in stacks if stack.mr is None or stack.ct is None]
    if paired and alone:
        raise SourceError(
            f"Supervised training wants MR and CT of every patient, {alone[0]} has only one of "
            "them; take sources of pairs, or a configuration whose mode is cyclegan."
        )
    missing = [
        name for name in ("mr", "ct") if all(getattr(stack, name) is None for stack in stacks)
    ]
    if missing:
        raise SourceError(f"MR and CT are wanted, no {missing[0].upper()} is in the sources.")


def stack_of(series: MrCtSeries, inputs: Sequence[str], pixel_mm: float) -> Stack:
    """Scale the MR of a patient and bring the pixels near to the working size.

    The second phase of a dual echo is scaled like the first: their ratio is what tells fat. The
    CT loses its couch.

    Args:
        series: of one patient.
        inputs: keys of the modalities, in order; left out where the series has no MR.
        pixel_mm: working distance of pixels; series within a tenth of it stay as they are.
    """
    images = [series.mr[key] for key in inputs] if series.mr else []
    end = bright_end(images[0]) if images else 1.0
    images = [np.stack([*filled(image, reach_of(series.slice_mm))]) for image in images]
    factor = series.pixel_mm / pixel_mm
    factor = 1.0 if abs(factor - 1.0) < 0.1 else factor
    mr = np.stack([_zoomed(scaled(image, end), factor) for image in images]) if images else None
    ct = None if series.ct is None else _zoomed(without_couch(series.ct), factor)
    return Stack(series.patient, mr, ct)


def _zoomed(image: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    if factor == 1.0:
        return image.astype(np.float32)
    return np.asarray(zoom(image, (1.0, factor, factor), order=1), np.float32)


def draw(
    stacks: Sequence[Stack],
    count: int,
    side: int,
    context: int,
    random: np.random.Generator,
    at_bone: float = 0.0,
    anywhere: float = 0.0,
) -> Patches:
    """A batch of varied patches.

    Args:
        stacks: each slice of each is as likely as any other. What a stack does not have comes
            out as background.
        count: patches.
        side: rows and columns of a patch.
        context: neighbouring slices on each side.
        random: of all that is drawn.
        at_bone: share of patches that are centred on bone, which is a thirtieth of a thigh.
        anywhere: share of patches that lie anywhere, the others have their middle in the body.
    """
    sizes = np.array([stack.shape[0] for stack in stacks], np.float64)
    chosen = random.choice(len(stacks), size=count, p=sizes / sizes.sum())
    parts = [_cut(stacks[index], side, context, random, (at_bone, anywhere)) for index in chosen]
    mr = torch.stack([part[0] for part in parts])
    return Patches(_shaded(mr, random), *(torch.stack([p[i] for p in parts]) for i in (1, 2)))


def _cut(
    stack: Stack,
    side: int,
    context: int,
    random: np.random.Generator,
    shares: tuple[float, float],
) -> tuple[Tensor, Tensor, Tensor]:
    """One turned, zoomed, mirrored patch: (planes, H, W), (1, H, W), (1, H, W)."""
    slices, rows, columns = stack.shape
    index = int(random.integers(slices))
    stride = int(random.choice((1, 1, 2)))  # other distances of slices
    near = np.clip(index + stride * np.arange(-context, context + 1), 0, slices - 1)
    if context and random.random() < 0.1:  # no neighbour at all
        near[:] = index
    if random.random() < 0.5:  # a series may run either way
        near = near[::-1]
    empty = np.zeros((1, rows, columns), np.float32)
    ct = empty[0] + AIR_HU if stack.ct is None else stack.ct[index]
    mr = empty if stack.mr is None else stack.mr[:, near].reshape(-1, rows, columns)
    body = ct > BODY_ABOVE_HU if stack.ct is not None else mr[0] > MR_BODY_ABOVE
    bone = ct > BONE_ABOVE_HU
    place = _place(_wanted(body, bone, shares, random), random)
    weight = _weight(body, None if stack.ct is None or stack.mr is None else stack.mr[0, index])
    image = torch.from_numpy(np.concatenate([mr, ct[None] - AIR_HU, weight[None]]))
    grid = _grid(place, (rows, columns), side, random)
    cut = functional.grid_sample(image[None], grid, align_corners=True)[0]
    return cut[:-2], cut[-2:-1] + AIR_HU, cut[-1:]


def _wanted(
    body: npt.NDArray[np.bool_],
    bone: npt.NDArray[np.bool_],
    shares: tuple[float, float],
    random: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Where the middle of a patch may lie; `shares` are those at bone and anywhere."""
    chance, (at_bone, anywhere) = random.random(), shares
    if chance < anywhere:
        return np.ones_like(body)
    return bone if chance < anywhere + at_bone and bone.any() else body


def _weight(
    body: npt.NDArray[np.bool_], mr: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.float32]:
    """Of each pixel's error, (rows, columns).

    Args:
        body: of the CT.
        mr: of the same slice, bright end 1; none where there is no pair.
    """
    if mr is None:
        return np.where(body, 1.0, OUTSIDE_SHARE).astype(np.float32)
    # under padding a body may go on
    seen = binary_opening(mr > MR_BODY_ABOVE, np.ones((3, 3))) | (mr <= 0)
    far = distance_transform_edt(~seen) > AROUND_PIXELS if seen.any() else ~seen
    weight = np.where(body, 1.0, np.where(far, FAR_SHARE, OUTSIDE_SHARE)).astype(np.float32)
    # tissue on the MR where the CT has none: another posture, or the CT's field ends there
    weight[~body & (mr > MR_TISSUE_ABOVE)] = 0.0
    return weight


def _place(body: npt.NDArray[np.bool_], random: np.random.Generator) -> tuple[float, float]:
    """Row and column to centre on: somewhere in the body, or the bone."""
    rows, columns = np.nonzero(body[::2, ::2])
    if rows.size == 0:
        return body.shape[0] / 2, body.shape[1] / 2
    one = int(random.integers(rows.size))
    return 2.0 * rows[one], 2.0 * columns[one]


def _grid(
    centre: tuple[float, float], size: tuple[int, int], side: int, random: np.random.Generator
) -> Tensor:
    """(1, side, side, 2): where each pixel of the patch comes from, as `grid_sample` takes it."""
    turn = random.uniform(-LARGEST_TURN, LARGEST_TURN)
    factor = random.uniform(*ZOOM)
    mirror = random.choice((-1.0, 1.0), size=2)
    steps = (np.arange(side) - (side - 1) / 2) / factor
    down, right = np.meshgrid(steps * mirror[0], steps * mirror[1], indexing="ij")
    row = centre[0] + np.cos(turn) * down + np.sin(turn) * right
    column = centre[1] - np.sin(turn) * down + np.cos(turn) * right
    places = np.stack([2 * column / (size[1] - 1) - 1, 2 * row / (size[0] - 1) - 1], axis=-1)
    return torch.from_numpy(places[None].astype(np.float32))


def _shaded(mr: Tensor, random: np.random.Generator) -> Tensor:
    """Other gain, contrast, coil shading, fading and noise, (B, planes, H, W); one draw a patch."""
    count, _, rows, columns = mr.shape
    gain, gamma, down, right, noise = (
        torch.from_numpy(random.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))
        for low, high in (GAIN, GAMMA, (-SHADE, SHADE), (-SHADE, SHADE), (0.0, NOISE))
    )
    y = torch.linspace(-1, 1, rows)[None, None, :, None]
    x = torch.linspace(-1, 1, columns)[None, None, None, :]
    seed = int(random.integers(2**31))
    grain = torch.randn(mr.shape, generator=torch.Generator().manual_seed(seed))
    shade = (1 + down * y + right * x) * _fading(y, x, count, random)
    varied = gain * shade * mr.clamp(min=0) ** gamma + noise * grain
    # exact zeros are padding and stay so; air has noise and never becomes padding
    return torch.where(mr > 0, varied.abs().clamp(min=1e-4), 0.0)


def _fading(y: Tensor, x: Tensor, count: int, random: np.random.Generator) -> Tensor:
    """(B, 1, H, W): some patches fade towards a border, as the field of a surface coil does.

    Args:
        y: (1, 1, H, 1), -1 to 1 from top to bottom.
        x: (1, 1, 1, W), -1 to 1 from left to right.
        count: patches.
        random: of direction and depth.
    """
    angle = random.uniform(0, 2 * np.pi, count)
    depth = random.uniform(*FADE, count) * (random.random(count) < FADED)
    sine, cosine, depths = (
        torch.from_numpy(values.astype(np.float32))[:, None, None, None]
        for values in (np.sin(angle), np.cos(angle), depth)
    )
    return torch.exp(-depths * (sine * y + cosine * x).clamp(min=0))


def every_slice(stack: Stack, context: int) -> Iterable[tuple[Tensor, npt.NDArray[np.float32]]]:
    """Each slice as the network sees it, (1, planes, rows, columns), with its CT."""
    assert stack.mr is not None
    assert stack.ct is not None
    slices, rows, columns = stack.shape
    for index in range(slices):
        near = np.clip(np.arange(index - context, index + context + 1), 0, slices - 1)
        planes = stack.mr[:, near].reshape(1, -1, rows, columns)
        yield torch.from_numpy(np.ascontiguousarray(planes)), stack.ct[index]
