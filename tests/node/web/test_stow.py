"""STOW-RS over a real socket: status codes, response, durability, bounded memory."""

from __future__ import annotations

import io
import logging
import secrets
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from node.config import PeerSettings
from node.counters import read_counts
from node.database.tables import SQLITE, open_database, unopened_database
from node.spool import Spool
from node.web.native_xml import NAMESPACE
from node.web.stow import source_of
from tests.node.spooled import last_release, series_paths
from tests.node.web.conftest import refusal, serving
from tests.node.web.world import World, make_config
from tests.servers import wait_until
from tests.synthetic import write_ct_dataset, write_ct_series

BOUNDARY = "stow-test-boundary"
TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
FAILURE_REASON = "00081197"


def part10(ds: Dataset) -> bytes:
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def multipart(parts: Iterable[bytes], content_type: str = "application/dicom") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def post(
    client: httpx.Client, body: bytes, content_type: str = TYPE, study: str = ""
) -> httpx.Response:
    headers = {"content-type": content_type, "accept": "application/dicom+json"}
    path = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
    return client.post(path, content=body, headers=headers)


def uids_of(answer: httpx.Response, sequence: str) -> list[str]:
    items: list[dict[str, Any]] = answer.json().get(sequence, {}).get("Value", [])
    return [item["00081155"]["Value"][0] for item in items]


def reasons(answer: httpx.Response, sequence: str = "00081198") -> list[int]:
    items: list[dict[str, Any]] = answer.json().get(sequence, {}).get("Value", [])
    return [item[FAILURE_REASON]["Value"][0] for item in items]


def test_a_series_is_durable_before_the_answer(
    client: httpx.Client, world: World, tmp_path: Path
) -> None:
    paths = write_ct_series(tmp_path / "series", slices=4)
    answer = post(client, multipart(path.read_bytes() for path in paths))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    incoming = list((world.config.node.data_dir / "incoming").glob("*.dcm"))
    assert len(incoming) == 4  # nothing has admitted them yet: the answer waited for the files
    sent = [pydicom.dcmread(path) for path in paths]
    assert uids_of(answer, "00081199") == [ds.SOPInstanceUID for ds in sent]
    world.spool.admit_incoming()
    kept = [pydicom.dcmread(p) for p in series_paths(world.spool, sent[0].SeriesInstanceUID)]
    assert {ds.SOPInstanceUID: ds.PixelData for ds in kept} == {
        ds.SOPInstanceUID: ds.PixelData for ds in sent
    }
    assert last_release(world.spool, sent[0].SeriesInstanceUID) is not None


def test_without_the_database_it_stores_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(tmp_path)
    obstacle = tmp_path / SQLITE
    obstacle.mkdir()  # SQLite cannot open it
    sent = [write_ct_dataset() for _ in range(3)]
    with serving(config, unopened_database(config.node)) as client:
        for ds in sent[:2]:
            answer = post(client, multipart([part10(ds)]))
            assert answer.status_code == 200
            assert uids_of(answer, "00081199") == [ds.SOPInstanceUID]
        said = [record for record in caplog.records if "totals wait" in record.getMessage()]
        assert len(said) == 1
        obstacle.rmdir()
        database = open_database(config.node)
        assert post(client, multipart([part10(sent[2])])).status_code == 200
    spool = Spool(tmp_path, database)
    spool.admit_incoming()
    for ds in sent:
        assert len(series_paths(spool, ds.SeriesInstanceUID)) == 1
        assert last_release(spool, ds.SeriesInstanceUID) is not None
    with database.connect() as connection:
        assert read_counts(connection)["stow_instances", "stored"] == 3
    database.dispose()


def test_good_instances_among_bad_ones(client: httpx.Client, world: World) -> None:
    good, cut, unknown_class, mismatch = (write_ct_dataset() for _ in range(4))
    unknown_class.SOPClassUID = UID("1.2.3.4")
    unknown_class.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4")
    wrong = part10(mismatch).replace(
        mismatch.SOPInstanceUID.encode(), mismatch.SOPInstanceUID[:-1].encode() + b"x", 1
    )
    body = multipart(
        [part10(cut)[:-100], part10(unknown_class), b"not dicom" * 99, wrong, b"", part10(good)]
    )
    answer = post(client, body)
    assert answer.status_code == 202
    assert uids_of(answer, "00081199") == [good.SOPInstanceUID]
    assert reasons(answer) == [0xC000, 0x0122, 0xA900]
    assert uids_of(answer, "00081198")[:2] == [cut.SOPInstanceUID, unknown_class.SOPInstanceUID]
    assert reasons(answer, "0008119A") == [0xC000, 0xC000]  # they do not say which they are
    assert world.spool.admit_incoming() >= 1
    assert len(series_paths(world.spool, good.SeriesInstanceUID)) == 1


def test_a_study_takes_its_own_instances_alone(client: httpx.Client) -> None:
    own, other = write_ct_dataset(), write_ct_dataset()
    other.StudyInstanceUID, other.SOPInstanceUID = "1.2.3", "1.2.3.4"
    other.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    answer = post(client, multipart([part10(own), part10(other)]), study=own.StudyInstanceUID)
    assert answer.status_code == 202
    assert uids_of(answer, "00081199") == [own.SOPInstanceUID]
    assert uids_of(answer, "00081198") == ["1.2.3.4"]
    assert reasons(answer) == [0xA900]


def test_nothing_stored_is_a_409(client: httpx.Client) -> None:
    answer = post(client, multipart([b"x" * 1000]))
    assert answer.status_code == 409
    assert "00081199" not in answer.json()


def test_an_unknown_transfer_syntax_is_named(client: httpx.Client) -> None:
    ds = write_ct_dataset()
    raw = part10(ds).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1)
    assert reasons(post(client, multipart([raw]))) == [0xC122]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("application/dicom", 415),
        ('multipart/related; type="application/dicom+json"; boundary=x', 415),
        ('multipart/related; type="application/dicom"', 400),
    ],
)
def test_wrong_content_types(client: httpx.Client, content_type: str, status: int) -> None:
    answer = post(client, multipart([b""]), content_type)
    assert answer.status_code == status
    assert refusal(answer)


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("application/dicom+xml", "application/dicom+xml"),
        ("application/dicom+xml;q=0.2, application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("*/*", "application/dicom+json"),
    ],
)
def test_the_answer_is_of_the_accepted_type(client: httpx.Client, accept: str, given: str) -> None:
    good, unknown = write_ct_dataset(), write_ct_dataset()
    unknown.file_meta.MediaStorageSOPClassUID = unknown.SOPClassUID = UID("1.2.3.4")
    body = multipart([part10(good), part10(unknown)])
    headers = {"content-type": TYPE, "accept": accept}
    answer = client.post("/dicom-web/studies", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (202, given)
    if given == "application/dicom+xml":
        document = ElementTree.fromstring(answer.content)
        values = {each.text for each in document.iter(f"{{{NAMESPACE}}}Value")}
        assert {good.SOPInstanceUID, unknown.SOPInstanceUID, str(0x0122)} <= values
    else:
        assert uids_of(answer, "00081199") == [good.SOPInstanceUID]
        assert reasons(answer) == [0x0122]


@pytest.mark.parametrize("in_query", [False, True])
def test_what_cannot_be_answered_is_a_406_and_nothing_is_stored(
    client: httpx.Client, world: World, in_query: bool
) -> None:
    query = {"accept": "text/html"} if in_query else {}
    accept = "application/dicom+json" if in_query else "text/html"
    answer = client.post(
        "/dicom-web/studies",
        content=multipart([part10(write_ct_dataset())]),
        headers={"content-type": TYPE, "accept": accept},
        params=query,
    )
    assert answer.status_code == 406
    assert "application/dicom+xml; accepted is 'text/html'. Nothing was stored." in refusal(answer)
    assert not list((world.config.node.data_dir / "incoming").glob("*.dcm"))


def test_a_body_without_its_end_is_a_400_that_says_what_was_kept(
    client: httpx.Client, world: World
) -> None:
    ds = write_ct_dataset()
    body = multipart([part10(ds), part10(write_ct_dataset())])
    answer = post(client, body[:-200])
    assert answer.status_code == 400
    assert "1 instance(s) before that were stored" in refusal(answer)
    assert len(list((world.config.node.data_dir / "incoming").glob("*.dcm"))) == 1
    assert not list((world.config.node.data_dir / "incoming").glob(".work-*/*"))


def test_an_empty_request_is_a_400(client: httpx.Client) -> None:
    assert post(client, f"--{BOUNDARY}--\r\n".encode()).status_code == 400


def test_an_instance_over_the_limit_is_refused_and_the_next_one_kept(tmp_path: Path) -> None:
    world = World(tmp_path / "data", max_instance_bytes=100_000)
    small, large = write_ct_dataset(), write_ct_dataset(np.zeros((512, 512), np.float32))
    with serving(world.config, world.database) as client:
        answer = post(client, multipart([part10(large), part10(small)]))
    world.close()
    assert answer.status_code == 202
    assert reasons(answer) == [0xA700]
    assert uids_of(answer, "00081199") == [small.SOPInstanceUID]


def test_a_full_disk_is_out_of_resources(tmp_path: Path) -> None:
    world = World(tmp_path / "data")
    node = world.config.node.model_copy(update={"min_free_bytes": 10**18})
    config = world.config.model_copy(update={"node": node})
    with serving(config, world.database) as client:
        answer = post(client, multipart([part10(write_ct_dataset())]))
    world.close()
    assert answer.status_code == 409
    assert reasons(answer) == [0xA700]


def test_memory_stays_bounded(client: httpx.Client, world: World) -> None:
    """An instance of 300 MB goes through a process that must not hold it."""
    size = 300_000_000
    ds = write_ct_dataset()
    ds.PixelData = b""
    head = part10(ds)[:-12]  # without the empty Pixel Data (7FE0,0010)
    start = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + head
    element = b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little")
    piece = secrets.token_bytes(1_000_000)

    def body() -> Iterator[bytes]:
        yield start + element
        for _ in range(size // len(piece)):
            yield piece
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    process = psutil.Process()
    before = process.memory_info().rss
    peak = 0

    def watched() -> Iterator[bytes]:
        nonlocal peak
        for each in body():
            peak = max(peak, process.memory_info().rss)
            yield each

    answer = client.post("/dicom-web/studies", content=watched(), headers={"content-type": TYPE})
    assert answer.status_code == 200
    (kept,) = (world.config.node.data_dir / "incoming").glob("*.dcm")
    assert kept.stat().st_size > size
    assert peak - before < 60_000_000


def test_only_peers_and_this_machine_may_store(world: World) -> None:
    peer = PeerSettings(name="a", ae_title="ARCHIVE", host="192.0.2.7", port=104)
    silent = peer.model_copy(update={"name": "b", "host": "192.0.2.8", "may_call": False})
    nobody = peer.model_copy(update={"name": "c", "host": "no..name"})
    config = world.config.model_copy(update={"peers": (nobody, peer, silent)})
    assert source_of(config, "192.0.2.7") == "ARCHIVE"
    assert source_of(config, "127.0.0.1") == "STOW-RS"
    assert source_of(world.config, "127.0.0.1") == "PACS"
    for stranger in ("192.0.2.8", "192.0.2.9", ""):
        with pytest.raises(Exception, match="not the address of a peer"):
            source_of(config, stranger)


def test_a_proxy_on_this_machine_is_not_the_sender(client: httpx.Client) -> None:
    headers = {"content-type": TYPE, "x-forwarded-for": "198.51.100.7"}
    answer = client.post("/dicom-web/studies", content=b"", headers=headers)
    assert answer.status_code == 403
    assert "198.51.100.7 is not the address of a peer" in refusal(answer)


def test_a_sender_that_goes_away_is_no_error_of_ours(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    body = multipart([part10(write_ct_dataset())])
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
    with caplog.at_level(logging.INFO), serving(world.config, world.database):
        with socket.create_connection(("127.0.0.1", world.config.web.port), 60) as line:
            line.sendall(f"{head}Content-Length: {2 * len(body)}\r\n\r\n".encode() + body[:-200])
        wait_until(lambda: "A STOW-RS request ended" in caplog.messages, what="its end")
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []
    assert not list((world.config.node.data_dir / "incoming").rglob("*.dcm"))


def test_a_sender_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    """Without an end its connection and its half file would stay for ever."""
    world = World(tmp_path / "data")
    node = world.config.node.model_copy(update={"idle_timeout_s": 0.5})
    first = multipart([part10(write_ct_dataset())])
    config = world.config.model_copy(update={"node": node})
    with (
        serving(config, world.database),
        socket.create_connection(("127.0.0.1", config.web.port), 60) as line,
    ):
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
        line.sendall(f"{head}Content-Length: {2 * len(first)}\r\n\r\n".encode() + first[:-20])
        answer = b"".join(iter(lambda: line.recv(65_536), b"")).decode()  # till it hangs up
    world.close()
    assert answer.startswith("HTTP/1.1 400")
    assert "Nothing came for 0.5 s" in answer
    assert not list((world.config.node.data_dir / "incoming").glob(".work-*/*"))
