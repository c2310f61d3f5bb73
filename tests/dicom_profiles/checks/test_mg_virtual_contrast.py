from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.checks.kinds import own_findings
from dicom_profiles.mg_virtual_contrast import write_virtual_contrast
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_source
from dicom_profiles.sources.projection import SourceProjection
from dicom_profiles.sources.source import Sources
from tests.mammograms import breast, write_mammogram


@pytest.fixture
def made(tmp_path: Path, derivation: Derivation) -> tuple[Dataset, Sources]:
    source = open_source([write_mammogram(tmp_path / "le.dcm")])
    assert isinstance(source, SourceProjection)
    image = np.clip(breast(), 0, 1)
    series = write_virtual_contrast(source, [image], derivation, tmp_path)
    return pydicom.dcmread(series.paths[0]), {"LE": source}


def test_what_we_write_has_no_finding(made: tuple[Dataset, Sources]) -> None:
    assert own_findings(*made) == []


@pytest.mark.parametrize(
    ("keyword", "value", "word"),
    [
        ("ImageType", ["DERIVED", "SECONDARY", "POST_CONTRAST"], "Image Type"),
        ("PresentationIntentType", "FOR PROCESSING", "Presentation Intent"),
        ("ContrastBolusAgent", "Iohexol", "ContrastBolusAgent"),
        ("KVP", "29", "KVP"),
        ("OrganDose", "0.01", "OrganDose"),
        ("ImageLaterality", "R", "ImageLaterality"),
        ("ViewPosition", "MLO", "ViewPosition"),
        ("ImagerPixelSpacing", ["0.1", "0.1"], "ImagerPixelSpacing"),
    ],
)
def test_each_fault_is_found(
    made: tuple[Dataset, Sources], keyword: str, value: Any, word: str
) -> None:
    ds, sources = made
    setattr(ds, keyword, value)
    (finding,) = own_findings(ds, sources)
    assert word in finding
