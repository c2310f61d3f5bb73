"""Pairs of a low-energy and a recombined mammogram of a gathered data set (roles `LE`, `REC`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_profiles.deidentification.data_set import KeptSeries
from dicom_profiles.reading import open_source
from dicom_profiles.sources.projection import value_range
from trainers.readers.cdd_cesm import MammogramPair
from trainers.readers.data_set import Side, read_side

log = logging.getLogger(__name__)

LOW_ENERGY, RECOMBINED = "LE", "REC"


def read_gathered_mammograms(where: Path) -> Iterator[MammogramPair]:
    """Pairs of one side: same study, same breast, same view, same matrix.

    Args:
        where: `FOLDER:SPLIT`.
    """
    side = read_side(str(where))
    partners = {_key(side, one): one for one in side.series(RECOMBINED)}
    for low in side.series(LOW_ENERGY):
        key = _key(side, low)
        partner = partners.get(key)
        if partner is None:
            log.warning("%s has no recombined image and is left out", low.folder)
            continue
        seen, wanted = _grey(side.place(low)), _grey(side.place(partner))
        if seen.shape != wanted.shape:
            log.warning("%s has a partner of another matrix and is left out", low.folder)
            continue
        yield MammogramPair(f"{low.patient}_{'_'.join(key[1:])}", low.patient, seen, wanted)


def _key(side: Side, series: KeptSeries) -> tuple[str, str, str]:
    """Study, Image Laterality, View Position (PS3.3 C.8.11.7)."""
    header: Dataset = open_source(_files(side.place(series))).headers[0]
    view = str(header.get("ViewPosition", ""))
    return series.study_instance_uid, str(header.get("ImageLaterality", "")), view


def _grey(folder: Path) -> npt.NDArray[np.float32]:
    """The image, (rows, columns) float32, from 0 to 1 over the range of its Bits Stored."""
    source = open_source(_files(folder))
    low, high = value_range(source.headers[0])
    (image,) = source.slices()
    grey: npt.NDArray[np.float32] = ((image - low) / (high - low)).astype(np.float32)
    return grey


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))
