"""Low-energy mammograms for tests: a drawn breast, wrapped as a scanner would send it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from trainers.simulation.mammogram_dicom import Exposure, wrap


def breast(rows: int = 300, columns: int = 180, side: str = "L") -> npt.NDArray[np.float32]:
    """A half-round breast with texture and a mass, (rows, columns), 0 to 1, air 0."""
    down, across = np.mgrid[0:rows, 0:columns] / rows
    inside = (across / 0.5) ** 2 + ((down - 0.5) / 0.45) ** 2 < 1
    waves = 0.12 * np.sin(40 * down) * np.cos(31 * across)
    mass = 0.3 * np.exp(-(((across - 0.2) ** 2 + (down - 0.45) ** 2) / 0.03**2))
    image = np.where(inside, 0.4 + waves + mass, 0.0).astype(np.float32)
    return image if side == "L" else np.ascontiguousarray(image[:, ::-1])


def mammogram(side: str = "L", view: str = "CC", **attributes: Any) -> Dataset:
    """A low-energy mammogram; attributes are set, None deletes one."""
    ds = wrap(breast(side=side), Exposure(side, view, 0.5, "drawn", f"{side}{view}"))
    for keyword, value in attributes.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def write_mammogram(path: Path, side: str = "L", view: str = "CC", **attributes: Any) -> Path:
    """The same as a file."""
    ds = mammogram(side, view, **attributes)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.save_as(path, enforce_file_format=True)
    return path
