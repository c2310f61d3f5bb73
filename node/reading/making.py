"""Candidates to a reading: files that differ in their pixels only, and the key beside them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dicom_profiles.encoding.part10 import sync_folder, write_durable
from dicom_profiles.errors import ProfileError
from node.reading.choosing import choose
from node.reading.errors import ReadingError, UnfitMaterial
from node.reading.folder import ANSWERS, CASES, STUDY
from node.reading.key import CaseTruth, Key, refuse_place, write_key
from node.reading.likeness import (
    AIR_HU,
    FULL_SCALE,
    Likeness,
    block_length,
    bring_alike,
    common_likeness,
    spacing_of,
)
from node.reading.material import Candidate
from node.reading.study import NAME_PATTERN, Preset, Reader, Study, Values, link_digest, new_token
from node.reading.words import TAGS

log = logging.getLogger(__name__)

QUESTION = "Is this image real, or was it made by a computer?"
CT_WINDOWS = {
    "soft": Preset(label="Soft tissue", centre=50, width=400),
    "lung": Preset(label="Lung", centre=-600, width=1500),
    "bone": Preset(label="Bone", centre=400, width=1800),
    "everything": Preset(label="Everything", centre=1000, width=4000),
}
PLAIN_WINDOWS = {
    "usual": Preset(label="Usual", centre=FULL_SCALE / 2, width=FULL_SCALE),
    "dark": Preset(label="Dark parts", centre=FULL_SCALE / 8, width=FULL_SCALE / 4),
    "everything": Preset(label="Everything", centre=2 * FULL_SCALE, width=4 * FULL_SCALE),
}


@dataclass(frozen=True)
class Wish:
    """How a reading is to be made.

    Attributes:
        name: of the reading, in its address.
        title: what readers see above it.
        readers: how many links are made.
        slices: of each case; None for as many as all have, within reason.
        seed: of the lot that chooses cases and slices.
        pairs: show patients twice, real and synthetic.
        resample: interpolate all cases to one grid.
        window: in which every case is shown first; "" for the usual one.
    """

    name: str
    title: str
    readers: int
    slices: int | None = None
    seed: int = 0
    pairs: bool = False
    resample: bool = False
    window: str = ""


@dataclass(frozen=True)
class MadeReading:
    """What came of it: the public study, and the link of each reader by alias."""

    study: Study
    links: dict[str, str]
    counts: dict[str, int]


def make_reading(
    root: Path,
    key_path: Path,
    candidates: Sequence[Candidate],
    wish: Wish,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> MadeReading:
    """Make a reading below `root`; it appears there whole, after its key is on the disk.

    Raises:
        UnfitMaterial: the images cannot be read blindly.
        ReadingError: a wrong name; the reading or the key file exists already.
    """
    _refuse_name(root, wish.name)
    refuse_place(key_path)
    part = root / f".{wish.name}.part"
    chosen = choose(candidates, wish.seed, pairs=wish.pairs)
    likeness = common_likeness(chosen, wish.slices, resample=wish.resample)
    _values(chosen[0].modality, wish.window)  # a wrong window is told before the work
    with _in_the_making(part):
        cases = _write_cases(part / CASES, chosen, likeness, wish.seed, progress)
        key = Key(name=wish.name, seed=wish.seed, resampled=wish.resample, cases=cases)
        links = {f"R{number}": new_token() for number in range(1, wish.readers + 1)}
        study = _study(wish, chosen[0].modality, likeness, key, links)
        write_durable(part / STUDY, study.model_dump_json(indent=1).encode())
        _same_times(part, study.created)
        write_key(key, key_path)
        sync_folder(part)
        part.rename(root / wish.name)
    sync_folder(root)
    facts = {"action": "reading_made", "cases": len(cases), "readers": wish.readers}
    log.info("A blind reading was made", extra=facts)
    return MadeReading(study, links, dict(key.counts()))


@contextlib.contextmanager
def _in_the_making(part: Path) -> Iterator[None]:
    """Folders for a reading; images of one that did not become whole do not lie about."""
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name in (CASES, ANSWERS):
            (part / name).mkdir(parents=True)
        yield
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _refuse_name(root: Path, name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ReadingError(
            f"A reading's name has small letters, digits and hyphens, up to 63; got {name!r}."
        )
    if (root / name).exists():
        raise ReadingError(f"There is a reading {name} already; choose another name.")


def _study(wish: Wish, modality: str, likeness: Likeness, key: Key, links: dict[str, str]) -> Study:
    return Study(
        name=wish.name,
        title=wish.title,
        question=QUESTION,
        created=datetime.now(UTC),
        modality=modality,
        shape=likeness.shape,
        values=_values(modality, wish.window),
        cases=tuple(sorted(key.cases)),
        readers=tuple(
            Reader(alias=alias, link_sha256=link_digest(link)) for alias, link in links.items()
        ),
        tags=TAGS,
        key_sha256=key.commitment(),
    )


def _values(modality: str, window: str) -> Values:
    """What stored numbers mean, and the windows on them, the wanted one first."""
    is_ct = modality == "CT"
    windows = CT_WINDOWS if is_ct else PLAIN_WINDOWS
    first = window or next(iter(windows))
    if first not in windows:
        raise ReadingError(
            f"A window of {modality} is one of {', '.join(windows)}; got {window!r}."
        )
    return Values(
        unit="HU" if is_ct else "1",
        offset=AIR_HU if is_ct else 0.0,
        windows=(windows[first], *(each for name, each in windows.items() if name != first)),
        inverted=modality == "PT",
    )


def _write_cases(
    folder: Path,
    chosen: Sequence[Candidate],
    likeness: Likeness,
    seed: int,
    progress: Callable[[int, int], None],
) -> dict[str, CaseTruth]:
    """Write every case in the order of its token, which has nothing to do with its truth."""
    lot = random.Random(seed)
    starts = {id(one): _first_slice(one, likeness, lot) for one in chosen}
    tokens = sorted((new_token(), number) for number in range(len(chosen)))
    cases = {}
    for done, (token, number) in enumerate(tokens, 1):
        candidate = chosen[number]
        first = starts[id(candidate)]
        pixels = _pixels(candidate, first, likeness).tobytes()
        write_durable(folder / token, pixels)
        digest = hashlib.sha256(pixels).hexdigest()
        cases[token] = CaseTruth(
            truth=candidate.truth,
            series=candidate.series,
            first_slice=first,
            pixels_sha256=digest,
        )
        progress(done, len(chosen))
    return cases


def _first_slice(candidate: Candidate, likeness: Likeness, lot: random.Random) -> int:
    """Where in its series a case begins: anywhere, as real and derived series cover the same."""
    source = candidate.source
    spare = source.shape[0] - block_length(likeness, spacing_of(source.affine))
    return lot.randint(0, max(spare, 0))


def _pixels(candidate: Candidate, first: int, likeness: Likeness) -> npt.NDArray[np.uint16]:
    source = candidate.source
    spacing = spacing_of(source.affine)
    length = block_length(likeness, spacing)
    try:
        block = np.stack(list(islice(source.slices(), first, first + length)))
    except ProfileError as error:
        raise UnfitMaterial(f"Series {candidate.series} cannot be shown: {error}") from error
    return bring_alike(block, spacing, likeness)


def _same_times(folder: Path, created: datetime) -> None:
    """When a file was written may tell in which order the folders were named."""
    moment = created.timestamp()
    for path in [*sorted(folder.rglob("*")), folder]:
        os.utime(path, (moment, moment))
