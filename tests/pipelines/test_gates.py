from __future__ import annotations

from pathlib import Path

import pytest

from dicom_profiles.reading import open_series
from pipelines.errors import UnknownPipeline
from pipelines.gates import gate, remarks
from tests.synthetic import write_ct_series


def test_the_pipelines_own_gate_is_asked(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=4))
    assert gate("ldct_denoise", {"CT": series}).accepted
    assert not gate("ldct_denoise", {"LE": series}).accepted


def test_a_gate_without_remarks_has_none(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=4, ContrastBolusAgent="Imeron 350"))
    assert remarks("ldct_denoise", {"CT": series}) == ()


def test_an_unknown_pipeline_is_refused() -> None:
    with pytest.raises(UnknownPipeline, match="There is no pipeline 'cesm'"):
        gate("cesm", {})
