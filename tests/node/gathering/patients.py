"""Studies of named patients in a real PACS, and what must not be found afterwards."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

from tests.servers import OrthancServer
from tests.synthetic import write_ct_series
from tests.trainers.phantom_series import SIZE, body
from trainers.simulation.low_dose import Kernel, Scanner, inserted_noise
from trainers.simulation.projection import ParallelBeam

NAMES = (
    ("Quillfeather^Ottoline", "MRN-7741239"),
    ("Wexcombe^Ada", "MRN-5552081"),
    ("Drumlin^Bo", "MRN-3120944"),
)
WORDS = (
    *("quillfeather", "ottoline", "7741239", "wexcombe", "5552081", "drumlin", "3120944"),
    *("perran", "ctroom7", "20250310", "accession-"),
)
SLICES, SPACING_MM = 6, 1.5


def fill(orthanc: OrthancServer, folder: Path) -> set[str]:
    """Put the studies into the PACS; gives every UID that must not survive.

    Each patient has a low-dose CT, the first a synthetic series besides, the second a localizer in
    another series, the third one with a name burnt into the pixels.
    """
    uids: set[str] = set()
    for number, (name, patient_id) in enumerate(NAMES):
        about = {
            "PatientName": name,
            "PatientID": patient_id,
            "AccessionNumber": f"ACCESSION-{number}",
        }
        paths = series(folder / f"{number}-low", about, "LOW DOSE CHEST")
        study = str(pydicom.dcmread(paths[0]).StudyInstanceUID)
        same = about | {"StudyInstanceUID": study}
        if number == 0:
            paths += series(folder / "synthetic", same | {"SyntheticData": "YES"}, "LOW DOSE AI")
        if number == 1:
            scout = same | {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
            paths += series(folder / "scout", scout, "Topogram")
        if number == 2:
            paths += series(folder / "burnt", same | {"BurnedInAnnotation": "YES"}, "LOW DOSE 2")
        for path in paths:
            ds = pydicom.dcmread(path)
            found = {str(e.value) for e in ds.iterall() if e.VR == "UI" and e.value}
            uids |= {uid for uid in found if not uid.startswith("1.2.840.10008.")}
            orthanc.upload(path)
    return uids


def series(folder: Path, about: dict[str, Any], description: str) -> list[Path]:
    """One CT series of a patient."""
    place = {
        "InstitutionName": "St Perran Infirmary",
        "StationName": "CTROOM7",
        "ReferringPhysicianName": "Wexcombe^Ada",
    }
    paths = write_ct_series(
        folder,
        slices=SLICES,
        rows=SIZE,
        columns=SIZE,
        spacing=(3.0, SPACING_MM, SPACING_MM),
        series_description=description,
        **(place | about),
    )
    for path, hu in zip(paths, slices(), strict=True):
        ds = pydicom.dcmread(path)
        ds.PixelData = np.rint(hu - float(ds.RescaleIntercept)).clip(0).astype("<u2").tobytes()
        ds.save_as(path)
    return paths


@lru_cache
def slices() -> list[npt.NDArray[np.float32]]:
    """Slices with a scanner's noise, in which the low-dose simulation can be calibrated."""
    scanner = Scanner(ParallelBeam(SIZE, SPACING_MM, 120), Kernel(0.15), 3e5)
    random = np.random.default_rng(0)
    return [body() + inserted_noise(scanner, body(), 0.5, random) for _ in range(SLICES)]
