"""The whole way, with a real PACS, is in `test_gather.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_profiles.deidentification.data_set import DataSet, KeptSeries
from node.__main__ import main
from node.config import Config
from node.errors import CommandError
from node.gathering.command import DATES, archive_of, summary
from node.gathering.dicomweb_archive import DicomWebArchive
from node.gathering.dimse_archive import DimseArchive

PEER = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 11112}
ADDRESS = {"dicomweb": "http://127.0.0.1:8042/dicom-web"}


def test_an_unknown_peer_is_a_sentence_with_those_that_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(f"node: {{data_dir: {tmp_path}}}\npeers: [{PEER}]\n")
    asked = ["train", "ldct_denoise", "--from", "pax", "--data", str(tmp_path / "set")]
    assert main([*asked, "--config", str(file), "--gather-only"]) == 1
    assert "takes the name of a peer, got 'pax'; known: pacs." in capsys.readouterr().err


@pytest.mark.parametrize("dates", ["2025", "2025-01-01", "20250101..20251231", "-", "today"])
def test_dates_that_are_none_are_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dates: str
) -> None:
    """An archive finds nothing on such days, as if it held nothing to learn from."""
    asked = ["train", "ldct_denoise", "--from", "pacs", "--data", str(tmp_path / "set")]
    assert main([*asked, f"--dates={dates}", "--gather-only"]) == 1
    shown = capsys.readouterr().err
    assert "--dates takes a day or a range" in shown
    assert f"got {dates!r}." in shown


@pytest.mark.parametrize("dates", ["", "20250101", "20250101-", "-20251231", "20250101-20251231"])
def test_days_and_ranges_are_dates(dates: str) -> None:
    assert DATES.fullmatch(dates)


@pytest.mark.parametrize(
    ("peer", "by", "kind"),
    [
        ({}, "", DimseArchive),
        (ADDRESS, "", DicomWebArchive),
        (ADDRESS, "dicomweb", DicomWebArchive),
        (ADDRESS, "dimse", DimseArchive),
    ],
)
def test_dicomweb_is_taken_where_the_peer_has_it(peer: dict[str, str], by: str, kind: type) -> None:
    config = Config.model_validate({"peers": [PEER | peer]})
    assert type(archive_of(config.peers[0], config, by)) is kind


def test_dicomweb_that_the_peer_does_not_have_is_refused() -> None:
    config = Config.model_validate({"peers": [PEER]})
    with pytest.raises(CommandError, match="pacs has no `dicomweb` in the configuration"):
        archive_of(config.peers[0], config, "dicomweb")


def test_the_summary_counts_and_names_nobody() -> None:
    facts = ("train", "2.25.1", "2.25.2", "CT", "CT", 16, "ab" * 32, "CT-1")
    kept = tuple(KeptSeries(patient, *facts) for patient in ("P1", "P2"))
    said = summary(DataSet("ldct_denoise", kept, {"It is synthetic.": 3}, ""))
    assert "train: 2 patients, 2 series, 32 images" in said
    assert "left out 3: It is synthetic." in said
    assert not [line for line in said if "P1" in line]
