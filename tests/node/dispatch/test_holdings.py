from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from node.config import Config, NodeSettings
from node.dispatch import c_find
from node.dispatch.c_find import identifier
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.holdings import Expected, missing
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.node.dispatch.http_archive import http_archive
from tests.node.dispatch.scp import StorageSCP
from tests.node.dispatch.sending import peer_of
from tests.servers import OrthancServer

WAYS = ["c-store", "stow-rs", "orthanc-rest"]


def ids(path: Path) -> tuple[str, str]:
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)


@pytest.mark.orthanc
@pytest.mark.parametrize("way", WAYS)
def test_send_and_ask_back(
    orthanc: OrthancServer, instances: list[Outgoing], tmp_path: Path, way: str
) -> None:
    peer, answers = peer_of(orthanc, way), list[Answer]()
    config = Config(node=NodeSettings(data_dir=tmp_path))
    study, series = ids(instances[0].path)
    uids = [one.sop_instance_uid for one in instances]
    expected = [Expected(study, series, uids)]
    assert missing(expected, peer, config) == set(uids)
    sender_for(peer)(instances[:-1], peer, "VSCANNER", 20, answers.append)
    assert [a.sop_instance_uid for a in answers] == uids[:-1]
    assert all(a.kept for a in answers)
    assert missing(expected, peer, config) == {uids[-1]}
    sender_for(peer)(instances, peer, "VSCANNER", 20, answers.append)  # again: kept as it is
    assert missing(expected, peer, config) == set()
    assert len(orthanc.instances_of(series)) == len(uids)


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (500, b"[]", DestinationUnavailable),
        (404, b"[]", DestinationRefuses),
        (401, b"", DestinationRefuses),
        (200, b"<html>a log-in page", DestinationUnavailable),
        (200, b'{"error": "busy"}', DestinationUnavailable),
        (200, b"[{}, 7]", DestinationUnavailable),
        (200, b"null", DestinationUnavailable),
    ],
)
def test_an_answer_that_is_none_leaves_the_question_open(
    tmp_path: Path, way: str, status: int, body: bytes, wanted: type[Exception]
) -> None:
    config = Config(node=NodeSettings(data_dir=tmp_path))
    with http_archive(lambda _: (status, body)) as archive, pytest.raises(wanted):
        missing([Expected("1.2", "1.2.3", ["1.2.3.4"])], archive.peer(way), config)


def test_no_content_means_that_nothing_is_held(tmp_path: Path) -> None:
    config = Config(node=NodeSettings(data_dir=tmp_path))
    with http_archive(lambda _: (204, b"")) as archive:
        series = [Expected("1.2", "1.2.3", ["1.2.3.4"])]
        assert missing(series, archive.peer("stow-rs"), config) == {"1.2.3.4"}


@pytest.mark.parametrize(
    ("counted", "listed", "lost"),
    [
        (2, [], set()),  # the count settles it
        (None, ["1.2.3.4"], {"1.2.3.5"}),
        (3, ["1.2.3.4", "1.2.3.5", "1.2.3.6"], set()),
        (1, ["1.2.3.6"], {"1.2.3.4", "1.2.3.5"}),
    ],
)
def test_where_the_count_is_another_every_instance_is_asked_for(
    tmp_path: Path, counted: int | None, listed: list[str], lost: set[str]
) -> None:
    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        asked, found = event.identifier, Dataset()
        assert (asked.StudyInstanceUID, asked.SeriesInstanceUID) == ("1.2", "1.2.3")
        if asked.QueryRetrieveLevel == "SERIES":
            found.NumberOfSeriesRelatedInstances = counted
            yield 0xFF00, found
        for uid in listed if asked.QueryRetrieveLevel == "IMAGE" else ():
            found.SOPInstanceUID = uid
            yield 0xFF01, found

    config = Config(node=NodeSettings(data_dir=tmp_path))
    with index(answer) as peer:
        assert missing([Expected("1.2", "1.2.3", ["1.2.3.4", "1.2.3.5"])], peer, config) == lost


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0xA900, DestinationRefuses, "C-FIND with status A900H"),
        (0xA700, DestinationUnavailable, "cannot answer a C-FIND now: status A700H"),
        (0x0110, DestinationUnavailable, "cannot answer a C-FIND now: status 0110H"),
        (0xC001, DestinationUnavailable, "cannot answer a C-FIND now: status C001H"),
    ],
)
def test_an_index_that_fails_says_nothing(
    tmp_path: Path, status: int, error: type[Exception], words: str
) -> None:
    def answer(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        yield status, None

    config = Config(node=NodeSettings(data_dir=tmp_path))
    with index(answer) as peer, pytest.raises(error, match=words):
        missing([Expected("1.2", "1.2.3", ["1.2.3.4"])], peer, config)


def test_an_index_that_never_ends_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        match = identifier("SERIES", NumberOfSeriesRelatedInstances="1")
        while True:
            yield 0xFF00, match

    monkeypatch.setattr(c_find, "MOST_MATCHES", 20)
    config = Config(node=NodeSettings(data_dir=tmp_path))
    with index(answer) as peer, pytest.raises(DestinationRefuses, match="at most 20 answers"):
        missing([Expected("1.2", "1.2.3", ["1.2.3.4"])], peer, config)


@contextlib.contextmanager
def index(answer: Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]]) -> Iterator[Any]:
    """A peer whose index answers so."""
    entity = AE("INDEX")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)]
    )
    assert server is not None
    try:
        yield StorageSCP(port=server.server_address[1]).peer()
    finally:
        server.shutdown()
