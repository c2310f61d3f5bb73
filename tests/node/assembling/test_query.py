from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from node.assembler import Assembler
from node.assembling.query import count_instances
from node.config import Config, PeerSettings
from node.database.tables import open_database
from node.errors import QueryError
from tests.node.feeding import feed, look_until_decided, make_config, series_rows
from tests.servers import OrthancServer, free_port
from tests.synthetic import write_ct_series


def peer_of(server: OrthancServer) -> PeerSettings:
    return PeerSettings(
        name="pacs", ae_title=server.ae_title, host="127.0.0.1", port=server.dicom_port
    )


def config_for(folder: Path, server: OrthancServer) -> Config:
    return make_config(
        folder,
        node={"data_dir": str(folder / "data"), "ae_title": server.our_ae_title},
        peers=[peer_of(server).model_dump()],
        assembly={"quiet_s": 300, "limit_s": 600},
    )


def upload(server: OrthancServer, paths: list[Path]) -> None:
    for path in paths:
        answer = requests.post(server.url + "/instances", data=path.read_bytes(), timeout=30)
        answer.raise_for_status()


@pytest.mark.orthanc
def test_orthanc_counts_the_images_of_a_series(orthanc: OrthancServer, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=9, study_uid="1.2.3", series_uid="1.2.3.4")
    upload(orthanc, paths)
    config = config_for(tmp_path, orthanc)
    assert count_instances(peer_of(orthanc), config, "1.2.3", "1.2.3.4") == 9
    assert count_instances(peer_of(orthanc), config, "1.2.3", "1.2.3.5") == 0


@pytest.mark.orthanc
def test_the_count_of_the_sender_completes_a_series_before_the_quiet_time(
    orthanc: OrthancServer, tmp_path: Path
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=20)
    upload(orthanc, paths)
    config = config_for(tmp_path, orthanc)
    database = open_database(config.node)
    assembler = Assembler(config, database)
    feed(assembler.spool, paths[:15], source_ae=orthanc.ae_title)
    started = time.monotonic()
    while "The sender holds 20 images, 15 are here" not in reason(assembler):
        time.sleep(assembler.look())
        assert time.monotonic() - started < 30
    feed(assembler.spool, paths[15:], source_ae=orthanc.ae_title)
    (row,) = look_until_decided(assembler)
    assert (row.state, row.evidence["kind"], row.revision) == ("ROUTED", "peer_count", 1)
    assert row.evidence["facts"]["sender_count"] == 20
    assembler.close()
    database.dispose()


def reason(assembler: Assembler) -> str:
    rows = series_rows(assembler.database)
    return str(rows[0].reason) if rows else ""


@pytest.fixture
def counting_by_images(tmp_path: Path) -> Iterator[PeerSettings]:
    """A peer that does not fill the optional Number of Series Related Instances."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        for index in range(3 if query.QueryRetrieveLevel == "IMAGE" else 1):
            found = Dataset()
            found.QueryRetrieveLevel = query.QueryRetrieveLevel
            found.SeriesInstanceUID = query.SeriesInstanceUID
            if query.QueryRetrieveLevel == "IMAGE":
                found.SOPInstanceUID = f"1.2.{index + 1}"
            yield 0xFF00, found

    entity = AE("IMAGES")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)]
    )
    assert server is not None
    assert server.socket is not None
    port = server.socket.getsockname()[1]
    yield PeerSettings(name="images", ae_title="IMAGES", host="127.0.0.1", port=port)
    server.shutdown()


def test_images_are_counted_where_the_peer_gives_no_number(
    counting_by_images: PeerSettings,
) -> None:
    assert count_instances(counting_by_images, Config(), "1.2", "1.3") == 3


@pytest.mark.filterwarnings(  # pynetdicom leaves a refused socket to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_peer_that_is_down_is_a_sentence() -> None:
    peer = PeerSettings(name="gone", ae_title="GONE", host="127.0.0.1", port=free_port())
    with pytest.raises(QueryError, match="gone did not answer a query: gone cannot be reached"):
        count_instances(peer, Config(), "1.2", "1.3")


def test_a_silent_peer_holds_nobody_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        port = silent.getsockname()[1]
        peer = {"name": "mute", "ae_title": "MUTE", "host": "127.0.0.1", "port": port}
        config = make_config(tmp_path, peers=[peer])
        database = open_database(config.node)
        assembler = Assembler(config, database)
        feed(assembler.spool, write_ct_series(tmp_path / "a", slices=20), source_ae="MUTE")
        feed(assembler.spool, write_ct_series(tmp_path / "b", slices=20), source_ae="OTHER")
        slowest = 0.0
        started = time.monotonic()
        while len(assembler.ledger.list()) < 1:
            before = time.monotonic()
            pause_s = assembler.look()
            slowest = max(slowest, time.monotonic() - before)
            time.sleep(min(pause_s, 0.1))
            assert time.monotonic() - started < 30
        assert slowest < 3  # the answer's time-out is five seconds
        rows = look_until_decided(assembler)
        assert {row.evidence["kind"] for row in rows} == {"no_gap"}
        assembler.close()
        database.dispose()
