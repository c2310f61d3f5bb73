"""LDCT-and-Projection-data (TCIA, 10.7937/9npb-2637) in the layout in which it is published.

One folder a patient (C001, L004, N012: chest, abdomen, neuro), below it one a study, below that one
a series, whose folder or Series Description says "Full Dose Images" or "Low Dose Images". Image
series of low dose exist for the Siemens half only; patients without a pair are left out and named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pydicom

from trainers.readers.dicom import read_dicom_pair
from trainers.readers.series import TrainingSeries

log = logging.getLogger(__name__)

FULL, LOW = "full dose images", "low dose images"


def read_ldct_projection(root: Path) -> Iterator[TrainingSeries]:
    """Every patient that has both doses, in the order of their names."""
    for patient in sorted(path for path in root.iterdir() if path.is_dir()):
        found = {describe(folder): folder for folder in sorted(_series_folders(patient))}
        full = next((f for d, f in found.items() if FULL in d), None)
        low = next((f for d, f in found.items() if LOW in d), None)
        if full is None or low is None:
            log.warning("%s has no pair of doses and is left out", patient.name)
            continue
        yield read_dicom_pair(low, full, patient.name)


def _series_folders(patient: Path) -> set[Path]:
    return {path.parent for path in patient.rglob("*.dcm")}


def describe(folder: Path) -> str:
    """Folder name and Series Description of the first file, in lower case."""
    header = pydicom.dcmread(next(iter(sorted(folder.glob("*.dcm")))), stop_before_pixels=True)
    return f"{folder.name} {header.get('SeriesDescription', '')}".lower()
