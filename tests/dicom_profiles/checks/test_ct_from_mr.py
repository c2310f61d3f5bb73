from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.checks.kinds import own_findings
from dicom_profiles.ct_from_mr import write_synthetic_ct
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series
from dicom_profiles.sources.source import Sources
from tests.dual_echo import write_dual_echo


@pytest.fixture
def checked(tmp_path: Path, derivation: Derivation) -> tuple[Dataset, Sources]:
    paths = write_dual_echo(tmp_path / "mr", slices=3, size=64)
    sources: Sources = {key: open_series(paths[key]) for key in ("IP", "OOP")}
    output = np.zeros((3, 64, 64), np.float32)
    series = write_synthetic_ct(sources, iter(output), derivation, tmp_path / "out")
    return pydicom.dcmread(series.paths[0]), sources


def test_what_the_writer_writes_is_right(checked: tuple[Dataset, Sources]) -> None:
    assert own_findings(*checked) == []


@pytest.mark.parametrize(
    ("keyword", "value", "sentence"),
    [
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], "Image Type"),
        ("KVP", "120", "KVP"),
        ("RescaleType", "US", "Rescale Type"),
        ("CTDIvol", 3.0, "CTDIvol"),
        ("EchoTime", "4.6", "EchoTime"),
        ("SourceImageSequence", [], "Source Image Sequence"),
        ("ReferencedSeriesSequence", [], "Referenced Series Sequence"),
    ],
)
def test_each_fault_is_found(
    checked: tuple[Dataset, Sources], keyword: str, value: Any, sentence: str
) -> None:
    ds, sources = checked
    setattr(ds, keyword, value)
    found = own_findings(ds, sources)
    assert len(found) == 1
    assert sentence in found[0]
