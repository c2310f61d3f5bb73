"""What a reader of MR and CT gives: the images of one patient, paired or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.readers.dicom import read_dicom
from trainers.readers.nifti import read_nifti
from trainers.readers.series import series_in

Slices = npt.NDArray[np.float32]
"""(slices, rows, columns) float32."""


@dataclass(frozen=True, eq=False)
class MrCtSeries:
    """MR, CT or both of one patient.

    Attributes:
        patient: a name for splits and reports; never a real one.
        mr: by input key (`IP`, `OOP`, `T1`, `T2`), each (slices, rows, columns) float32, any unit,
            all on one grid; empty where only a CT is read.
        ct: (slices, rows, columns) float32, HU, on the grid of the MR; none where there is no pair.
        pixel_mm: distance between pixels.
        slice_mm: distance between slices.
    """

    patient: str
    mr: Mapping[str, Slices]
    ct: Slices | None
    pixel_mm: float
    slice_mm: float


def read_ct(place: Path) -> MrCtSeries:
    """A CT alone, from a NIfTI file or a folder of DICOM."""
    series = read_nifti(place) if place.is_file() else read_dicom(place)
    return MrCtSeries(
        series.patient, {}, series.slices, series.pixel_spacing_mm, series.slice_spacing_mm
    )


def read_t1(folder: Path) -> MrCtSeries:
    """A T1-weighted series alone, from a folder of DICOM."""
    volume = series_in(folder)
    slices_mm, _, columns_mm = volume.spacing_mm
    return MrCtSeries(folder.name, {"T1": volume.voxels}, None, columns_mm, slices_mm)


def save_prepared(series: MrCtSeries, folder: Path) -> Path:
    """Keep a pair as one file, halves of floats; `read_prepared` reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{series.patient}.npz"
    kept: dict[str, Any] = {key: image.astype(np.float16) for key, image in series.mr.items()}
    if series.ct is not None:
        kept["ct"] = series.ct.astype(np.float16)
    np.savez(path, spacing_mm=(series.pixel_mm, series.slice_mm), **kept)
    return path


def read_prepared(folder: Path) -> Iterator[MrCtSeries]:
    """Every pair that `save_prepared` kept in a folder."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            images = {key: kept[key].astype(np.float32) for key in kept.files}
        pixel_mm, slice_mm = (float(size) for size in images.pop("spacing_mm"))
        ct = images.pop("ct", None)
        yield MrCtSeries(path.stem, images, ct, pixel_mm, slice_mm)
