"""An archive by DICOMweb: QIDO-RS to find (PS3.18 10.6), WADO-RS to fetch (PS3.18 10.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from pydicom.dataset import Dataset

from node.config import Config, PeerSettings
from node.dispatch.http import session_for
from node.gathering.archive import SUMMARY_KEYWORDS, Question, SeriesSummary
from node.gathering.errors import ArchiveError
from node.web.multipart import (
    MultipartError,
    PartData,
    PartEnd,
    PartStart,
    parse_content_type,
    read_parts_of,
)

PAGE = 100
"""Studies in one answer."""
CHUNK_BYTES = 1 << 20
NO_CONTENT = 204
DICOM_JSON = "application/dicom+json"
INSTANCES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Instances as they are stored, whatever their transfer syntax (PS3.18 8.7.3.5.2)."""


class DicomWebArchive:
    """QIDO-RS and WADO-RS of a peer.

    Args:
        peer: has `dicomweb`.
        config: knows how long we wait.
    """

    finds_by, fetches_by = "QIDO-RS", "WADO-RS"

    def __init__(self, peer: PeerSettings, config: Config) -> None:
        self._peer, self._timeout_s = peer, config.jobs.answer_timeout_s
        self._root = (peer.dicomweb or "").rstrip("/")
        self._session = session_for(peer)

    def studies(self, question: Question) -> Iterator[str]:
        """Study Instance UIDs, page after page, until one is empty.

        An archive may give fewer than we ask for (PS3.18 8.3.4.4), or ignore `offset`.
        """
        seen: set[str] = set()
        for modality in question.modalities or ("",):
            asked = {"limit": str(PAGE)}
            asked |= {"StudyDate": question.dates} if question.dates else {}
            asked |= {"ModalitiesInStudy": modality} if modality else {}
            offset, before = 0, [""]
            while (page := self._page({**asked, "offset": str(offset)})) not in ([], before):
                yield from (uid for uid in dict.fromkeys(page) if uid and uid not in seen)
                seen.update(page)
                offset, before = offset + len(page), page

    def _page(self, asked: dict[str, str]) -> list[str]:
        return [str(one.get("StudyInstanceUID", "")) for one in self._found("studies", asked)]

    def series(self, study_instance_uid: str) -> list[SeriesSummary]:
        """The series of a study."""
        asked = {"includefield": ",".join(SUMMARY_KEYWORDS)}
        found = self._found(f"studies/{study_instance_uid}/series", asked)
        return [
            SeriesSummary(study_instance_uid, str(one.SeriesInstanceUID), one)
            for one in found
            if one.get("SeriesInstanceUID")
        ]

    def fetch(self, series: SeriesSummary, folder: Path) -> int:
        """Put every instance of a series into a folder."""
        path = f"studies/{series.study_instance_uid}/series/{series.series_instance_uid}"
        with self._asked(path, {}, INSTANCES, stream=True) as answer:
            kind, parameters = parse_content_type(answer.headers.get("Content-Type", ""))
            if kind != "multipart/related":
                raise ArchiveError(
                    f"{self._peer.name} should answer WADO-RS with multipart/related, got {kind}."
                )
            chunks = answer.iter_content(CHUNK_BYTES)
            try:
                return _write_parts(chunks, parameters.get("boundary", ""), folder)
            except (MultipartError, requests.RequestException) as error:
                raise ArchiveError(
                    f"An answer of {self._peer.name} to WADO-RS breaks off "
                    f"({type(error).__name__}); try again."
                ) from error

    def _found(self, path: str, asked: dict[str, str]) -> list[Dataset]:
        with self._asked(path, asked, DICOM_JSON) as answer:
            if answer.status_code == NO_CONTENT:
                return []
            try:
                rows: Any = answer.json()
                return [Dataset.from_json(row) for row in rows]
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ArchiveError(
                    f"{self._peer.name} should answer QIDO-RS with DICOM JSON, got something else."
                ) from error

    @contextlib.contextmanager
    def _asked(
        self, path: str, asked: dict[str, str], accept: str, *, stream: bool = False
    ) -> Iterator[requests.Response]:
        try:
            answer = self._session.get(
                f"{self._root}/{path}",
                params=asked,
                headers={"Accept": accept},
                timeout=self._timeout_s,
                stream=stream,
            )
        except requests.RequestException as error:
            raise ArchiveError(
                f"{self._peer.name} does not answer DICOMweb ({type(error).__name__}); "
                "is it running, and is `dicomweb` its address?"
            ) from error
        with answer:
            if not answer.ok:
                raise ArchiveError(
                    f"{self._peer.name} answered a DICOMweb request with HTTP status "
                    f"{answer.status_code}."
                )
            yield answer


def _write_parts(chunks: Iterator[bytes], boundary: str, folder: Path) -> int:
    """Every part of a body as a file; memory is bounded by a chunk."""
    count = 0
    with contextlib.ExitStack() as opened:
        file = None
        for event in read_parts_of(chunks, boundary):
            if isinstance(event, PartStart):
                file = opened.enter_context((folder / f"{count:06d}.dcm").open("wb"))
            elif isinstance(event, PartData) and file is not None:
                file.write(event.data)
            elif isinstance(event, PartEnd):
                opened.close()
                count += 1
    return count
