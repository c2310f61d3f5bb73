"""What an archive is asked: which studies, which series, and the images of a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.dataset import Dataset

SUMMARY_KEYWORDS = (
    "Modality",
    "SeriesDescription",
    "ProtocolName",
    "BodyPartExamined",
    "Manufacturer",
    "StationName",
    "NumberOfSeriesRelatedInstances",
)
"""Asked for at the series level (PS3.4 table C.6-3, PS3.18 10.6.1.2); archives may give less."""


@dataclass(frozen=True)
class Question:
    """Which studies are looked at.

    Attributes:
        dates: Study Date, a day or a range `20250101-20251231`, "" for all.
        modalities: only studies with one of them; none for all.
    """

    dates: str = ""
    modalities: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesSummary:
    """A series as the archive's index knows it.

    Attributes:
        study_instance_uid, series_instance_uid: of the series.
        summary: what the archive says at the series level; may lack anything.
    """

    study_instance_uid: str
    series_instance_uid: str
    summary: Dataset


class Archive(Protocol):
    """A PACS that can be asked. Every call may raise `ArchiveError`."""

    finds_by: str
    fetches_by: str

    def studies(self, question: Question) -> Iterator[str]:
        """Study Instance UIDs, each once, in the archive's order."""
        ...

    def series(self, study_instance_uid: str) -> list[SeriesSummary]:
        """The series of a study."""
        ...

    def fetch(self, series: SeriesSummary, folder: Path) -> int:
        """Put every instance of a series into a folder; gives how many came."""
        ...
