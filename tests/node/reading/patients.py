"""Folders of phantom patients: a CT as a scanner writes it, and what the real writer derives."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scipy.ndimage import gaussian_filter

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series
from node.reading.making import MadeReading, Wish, make_reading
from node.reading.material import Candidate, find_candidates
from tests.synthetic import write_ct_series


def write_real(folder: Path, patient: str, **options: Any) -> Path:
    """A phantom CT of one patient."""
    number = int(patient[-1])
    options = {"slices": 6, "seed": number, "PatientID": patient, **options}
    write_ct_series(folder, **options)
    return folder


def write_synthetic(real: Path, folder: Path) -> Path:
    """A series derived by the real writer; the pixels are a Gaussian's, not a model's."""
    derivation = Derivation(
        model=ModelIdentity("ldct_denoise", "1.0.0", "0" * 64, True),
        parameters={},
        record={},
        qc_verdict="GREEN",
        input_distance=1.0,
        created=datetime(2026, 3, 1, tzinfo=UTC),
        ae_title="VSCANNER",
    )
    source = open_series(sorted(real.glob("*.dcm")))
    write_denoised_ct(
        source, (gaussian_filter(hu, 1.0) for hu in source.slices()), derivation, folder
    )
    return folder


def patients(folder: Path, count: int = 4, **options: Any) -> tuple[Path, Path]:
    """Folders of the real and of the synthetic series of `count` patients."""
    for number in range(count):
        name = f"PHANTOM-{number}"
        real = write_real(folder / "real" / name, name, **options)
        write_synthetic(real, folder / "synthetic" / name)
    return folder / "real", folder / "synthetic"


def candidates(folder: Path, count: int = 4, **options: Any) -> list[Candidate]:
    """The candidates of such folders."""
    real, synthetic = patients(folder, count, **options)
    return find_candidates([real], [synthetic])


def reading_of(dicom: Path, root: Path, key: Path, **wish: Any) -> MadeReading:
    """A reading of the patients in `dicom`, below `root`."""
    wished = Wish(**{"name": "chest-1", "title": "Chest", "readers": 2, **wish})
    found = find_candidates([dicom / "real"], [dicom / "synthetic"])
    return make_reading(root, key, found, wished)
