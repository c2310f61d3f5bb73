"""An archive by DIMSE: C-FIND to find, C-GET to fetch (PS3.4 C.4.1, C.4.3; study root)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
)

from dicom_profiles.storage import STORAGE_CLASSES
from node.config import Config, PeerSettings
from node.dispatch.associate import Storage, associated
from node.dispatch.c_find import FIND, PENDING, SUCCESS, find, identifier
from node.dispatch.errors import DispatchError
from node.gathering.archive import SUMMARY_KEYWORDS, Question, SeriesSummary
from node.gathering.errors import ArchiveError

OUT_OF_RESOURCES = 0xA700  # PS3.4 table B.2-1
GET = StudyRootQueryRetrieveInformationModelGet
BROKEN = (DispatchError, RuntimeError, ValueError, OSError)
"""What pynetdicom and our own layer raise when an association does not do what it should."""


class DimseArchive:
    """C-FIND and C-GET of a peer.

    Args:
        peer: whom to call.
        config: says who we are.
    """

    finds_by, fetches_by = "C-FIND", "C-GET"

    def __init__(self, peer: PeerSettings, config: Config) -> None:
        self._peer, self._config = peer, config

    def studies(self, question: Question) -> Iterator[str]:
        """Study Instance UIDs."""
        seen: set[str] = set()
        for modality in question.modalities or ("",):
            keys = {"StudyDate": question.dates, "ModalitiesInStudy": modality}
            for found in self._found(identifier("STUDY", StudyInstanceUID="", **keys)):
                uid = str(found.get("StudyInstanceUID", ""))
                if uid and uid not in seen:
                    seen.add(uid)
                    yield uid

    def series(self, study_instance_uid: str) -> list[SeriesSummary]:
        """The series of a study."""
        keys = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": ""}
        asked = identifier("SERIES", **{**dict.fromkeys(SUMMARY_KEYWORDS), **keys})
        return [
            SeriesSummary(study_instance_uid, str(found.SeriesInstanceUID), found)
            for found in self._found(asked)
            if found.get("SeriesInstanceUID")
        ]

    def fetch(self, series: SeriesSummary, folder: Path) -> int:
        """Put every instance of a series into a folder."""
        asked = identifier(
            "SERIES",
            StudyInstanceUID=series.study_instance_uid,
            SeriesInstanceUID=series.series_instance_uid,
        )
        taken: list[Path] = []

        def take(event: evt.Event) -> int:
            path = folder / f"{len(taken):06d}.dcm"
            try:
                path.write_bytes(event.encoded_dataset())
            except OSError:
                return OUT_OF_RESOURCES
            taken.append(path)
            return SUCCESS

        with self._associated(GET, Storage(tuple(STORAGE_CLASSES), take)) as association:
            for status, _ in association.send_c_get(asked, GET):
                code = status.get("Status") if status else None
                if code not in (*PENDING, SUCCESS):
                    said = "nothing in time" if code is None else f"status {code:04X}H"
                    raise ArchiveError(
                        f"{self._peer.name} should send a series by C-GET, got {said} after "
                        f"{len(taken)} instance(s)."
                    )
        return len(taken)

    def _found(self, asked: Dataset) -> list[Dataset]:
        with self._associated(FIND) as association:
            return find(association, asked, self._peer)

    @contextlib.contextmanager
    def _associated(self, sop_class: str, stored: Storage | None = None) -> Iterator[Association]:
        try:
            with associated(self._peer, self._config, [sop_class], stored) as association:
                yield association
        except BROKEN as error:
            raise ArchiveError(f"{self._peer.name} cannot be asked: {error}") from error
