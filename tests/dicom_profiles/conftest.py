"""A derived series with its companions, written once for all tests that only read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_series
from dicom_profiles.sources.series import SourceSeries
from tests.synthetic import write_ct_series

DERIVATION = Derivation(
    model=ModelIdentity("ldct_denoise", "1.0", "ab" * 32, trained_on_simulation=True),
    parameters={"strength": 1.0},
    record={
        "engine": {"name": "torch", "device": "cpu"},
        "measurements": {"noise_before_hu": 30.5, "noise_after_hu": 12.25, "slices": 5},
        "reasons": ["The noise is high."],
    },
    qc_verdict="AMBER",
    input_distance=1.5,
    created=datetime(2026, 3, 1, 22, 30, 15, tzinfo=UTC),
    ae_title="VSCANNER",
)
PADDING = -2000


@dataclass(frozen=True)
class Written:
    """A source, what was made of it, and the values that were to be written."""

    source: SourceSeries
    source_paths: list[Path]
    output: npt.NDArray[np.float32]
    images: DerivedSeries
    report: DerivedSeries
    label: DerivedSeries
    folder: Path

    @property
    def sources(self) -> dict[str, SourceSeries]:
        """The source by its input key."""
        return {"CT": self.source}

    @property
    def paths(self) -> list[Path]:
        """Every derived file."""
        return [*self.images.paths, *self.report.paths, *self.label.paths]


def write_all(folder: Path, source_paths: list[Path], derivation: Derivation) -> Written:
    """Write images, report and label from sources whose values are halved."""
    source = open_series(source_paths)
    output = source.load().voxels * np.float32(0.5)
    images = write_denoised_ct(source, iter(output), derivation, folder)
    report = write_qc_report({"CT": source}, [images], derivation, folder)
    label = write_label({"CT": source}, images, derivation, folder)
    return Written(source, source_paths, output, images, report, label, folder)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Five padded slices and everything that is made of them; read only."""
    folder = tmp_path_factory.mktemp("written")
    paths = write_ct_series(folder / "source", slices=5, padding_value=PADDING)
    return write_all(folder / "derived", paths, DERIVATION)


@pytest.fixture
def derivation() -> Derivation:
    """A derivation with everything in it."""
    return DERIVATION
