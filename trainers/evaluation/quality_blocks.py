"""Blocks of neighbouring slices: what is one observation of the image quality study."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from trainers.evaluation.case import Case, EvaluationError, Method
from trainers.metrics.measurement import Floats

REFERENCES = 48
"""Good images that the unpaired scores see at most."""


@dataclass(frozen=True, eq=False)
class Block:
    """A few neighbouring slices: the truth and what every method makes of them.

    Attributes:
        patient: whose.
        slices: which, in words.
        group: of the case: a dose, say.
        truth: (n, rows, columns).
        outputs: by method.
    """

    patient: str
    slices: str
    group: str
    truth: Floats
    outputs: Mapping[str, Floats]


def blocks_of(
    case: Case, methods: Mapping[str, Method], options: argparse.Namespace
) -> Iterator[Block]:
    """The blocks of a case; a rest of fewer slices than a block is left out."""
    outputs = {name: method(case) for name, method in methods.items()}
    first = next(iter(outputs))
    for share in options.blend:
        for name in [name for name in outputs if name != first and name in methods]:
            mixed = (1 - share) * outputs[first] + share * outputs[name]
            outputs[f"{share:.0%} {name}"] = mixed
    count = len(case.truth.voxels)
    length = min(options.block, count)
    if length < 2:
        return
    for start in range(0, count - length + 1, length):
        part = slice(start, start + length)
        yield Block(
            case.patient,
            f"slices {start + 1} to {start + length}",
            case.group,
            cropped(case.truth.voxels[part], options.crop),
            {name: cropped(output[part], options.crop) for name, output in outputs.items()},
        )


def cropped(images: Any, side: int) -> Floats:
    """The middle of images (n, rows, columns), at most `side` pixels a side."""
    top, left = (max(0, (extent - side) // 2) for extent in images.shape[1:])
    return np.asarray(images[:, top : top + side, left : left + side], dtype=np.float64)


def good_images_of_others(blocks: Sequence[Block], one: Block, several: bool, seed: int) -> Floats:
    """Good images of other patients, or of other slices of the only one; each slice once.

    One slice has several blocks where it was made at several doses; a patient may have several
    series. Slices are therefore told apart by what they show.
    """
    apart = {
        sha256(block.truth.tobytes()).digest(): block.truth
        for block in blocks
        if (block.patient != one.patient if several else block.slices != one.slices)
    }
    shape = one.truth.shape[1:]
    fitting = [truth for truth in apart.values() if truth.shape[1:] == shape]
    if not fitting:
        raise EvaluationError(
            "The unpaired scores want good images of another patient, or of other slices, on "
            f"{shape[0]} x {shape[1]} pixels; give more data, or a smaller --crop."
        )
    images = np.concatenate(fitting)
    drawn = np.random.default_rng(seed).permutation(len(images))[:REFERENCES]
    return np.asarray(images[np.sort(drawn)])
