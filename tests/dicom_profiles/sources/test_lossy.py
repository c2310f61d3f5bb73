from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import JPEGBaseline8Bit

from dicom_profiles.reading import read_header
from dicom_profiles.sources.lossy import has_lost, lossy_compression
from dicom_profiles.sources.series import SourceInstance
from tests.mammograms import write_mammogram


def instance(path: Path, **attributes: str) -> SourceInstance:
    write_mammogram(path, **attributes)
    return SourceInstance(path, read_header(path))


def test_what_never_lost_says_so(tmp_path: Path) -> None:
    ds = lossy_compression(instance(tmp_path / "a.dcm"))
    assert ds.LossyImageCompression == "00"
    assert len(ds) == 1


def test_once_lossy_always_lossy(tmp_path: Path) -> None:
    whole = instance(tmp_path / "a.dcm")
    lost = instance(
        tmp_path / "b.dcm",
        LossyImageCompression="01",
        LossyImageCompressionRatio="8",
        LossyImageCompressionMethod="ISO_10918_1",
    )
    assert (has_lost(whole), has_lost(lost)) == (False, True)
    ds = lossy_compression(whole, lost)
    assert (ds.LossyImageCompression, ds.LossyImageCompressionRatio) == ("01", 8)
    assert ds.LossyImageCompressionMethod == "ISO_10918_1"


def test_a_lossy_transfer_syntax_is_enough(tmp_path: Path) -> None:
    lost = instance(tmp_path / "a.dcm")
    lost.header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds = lossy_compression(lost)
    assert ds.LossyImageCompression == "01"
    assert ds.LossyImageCompressionMethod == "ISO_10918_1"
    size = lost.header.Rows * lost.header.Columns * 2 / lost.path.stat().st_size
    assert float(ds.LossyImageCompressionRatio) == pytest.approx(size, abs=0.005)


def test_how_much_an_earlier_program_lost_is_not_made_up(tmp_path: Path) -> None:
    ds = lossy_compression(instance(tmp_path / "a.dcm", LossyImageCompression="01"))
    assert ds.LossyImageCompression == "01"
    assert len(ds) == 1
