"""What only odd archives do; a real one is asked in `test_gather.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from node.config import Config, PeerSettings
from node.gathering.archive import Question, SeriesSummary
from node.gathering.dimse_archive import DimseArchive
from node.gathering.errors import ArchiveError


@contextlib.contextmanager
def archive(status: int, *uids: str) -> Iterator[DimseArchive]:
    """One that gives these studies and ends every answer so."""

    def find(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for uid in uids:
            found = Dataset()
            found.StudyInstanceUID = uid
            yield 0xFF00, found
        yield status, None

    def get(_event: evt.Event) -> Iterator[int | tuple[int, Dataset | None]]:
        yield 1
        yield status, None

    entity = AE("ODD")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)],
    )
    assert server is not None
    address = {"host": "127.0.0.1", "port": server.server_address[1]}
    peer = PeerSettings.model_validate({"name": "pacs", "ae_title": "ODD", **address})
    try:
        yield DimseArchive(peer, Config())
    finally:
        server.shutdown()


def test_every_study_is_found_once() -> None:
    with archive(0x0000, "1.1", "1.2", "", "1.1") as asked:
        assert list(asked.studies(Question(modalities=("CT", "MR")))) == ["1.1", "1.2"]


def test_an_archive_that_fails_is_a_sentence(tmp_path: Path) -> None:
    with archive(0xA700, "1.1") as asked:
        with pytest.raises(ArchiveError, match="asked: pacs cannot answer a C-FIND now"):
            list(asked.studies(Question()))
        series = SeriesSummary("1.2", "1.2.3", Dataset())
        with pytest.raises(ArchiveError, match=r"status A700H after 0 instance\(s\)"):
            asked.fetch(series, tmp_path)
