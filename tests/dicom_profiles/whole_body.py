"""A small CT of a body with districts and an uptake, for the tests of what is made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dicom_profiles.derived import DerivedSeries
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_series
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.writers import writer_for
from tests.dicom_profiles.conftest import DERIVATION
from tests.synthetic import write_ct_series

PET_DERIVATION = replace(
    DERIVATION,
    model=ModelIdentity("ct_to_pet", "1.0.0", "cd" * 32, trained_on_simulation=True),
    parameters={"feather_mm": 16.0, "viewer_compatibility": 0.0},
    record={
        "model": {"name": "ct_to_pet", "districts": "geometric 1"},
        "measurements": {"mean_suvbw": 0.8},
        "reasons": [],
    },
)


@dataclass(frozen=True)
class WrittenPet:
    """A CT, the uptake that was to be written, and every series that was."""

    source: SourceSeries
    suv: npt.NDArray[np.float32]
    districts: npt.NDArray[np.uint8]
    series: dict[str, DerivedSeries]
    source_paths: list[Path]

    @property
    def paths(self) -> list[Path]:
        """Every derived file."""
        return [path for series in self.series.values() for path in series.paths]


def write_pet(
    folder: Path, derivation: Derivation = PET_DERIVATION, slices: int = 6, **attributes: Any
) -> WrittenPet:
    """Write PET, SUV map, districts, report and label of a phantom with these attributes."""
    paths = write_ct_series(folder / "source", slices=slices, **attributes)
    return write_pet_of(open_series(paths), paths, folder / "derived", derivation)


def write_pet_of(
    source: SourceSeries, paths: list[Path], folder: Path, derivation: Derivation
) -> WrittenPet:
    """Everything that is written of one CT."""
    hu = source.load().voxels
    suv = np.where(hu > -300, 0.8 + hu / 1000, 0.0).clip(0).astype(np.float32)
    suv[:, 20:24, 20:24] = 11.25
    districts = np.where(hu > -300, 2, 0).astype(np.uint8)
    districts[:2][districts[:2] > 0] = 1
    write = writer_for("ct_to_pet")
    derived = write({"CT": source}, iter(suv), {"districts": districts}, derivation, folder)
    report = write_qc_report({"CT": source}, derived, derivation, folder)
    label = write_label({"CT": source}, derived[0], derivation, folder)
    series = {one.kind: one for one in (*derived, report, label)}
    return WrittenPet(source, suv, districts, series, paths)
