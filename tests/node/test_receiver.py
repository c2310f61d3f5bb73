from __future__ import annotations

import contextlib
import datetime
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import psutil
import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import generate_uid
from pynetdicom import build_context, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from node.config import Config
from node.counters import read_counts
from node.database.tables import commitments
from node.receiver import Receiver
from node.receiving import pdu
from node.spool import Spool
from tests.node.datasets import encoded, files_in, same_series, small_ct
from tests.node.receiving.running import (
    CALLER,
    RawPeer,
    associate,
    associate_request,
    make_config,
    p_data,
    pdv,
    running_receiver,
    status_of,
    store_command,
)
from tests.node.receiving.test_reports import report_dataset
from tests.node.spooled import last_release, series_paths
from tests.servers import LOOPBACK, certificate, program, wait_until


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with running_receiver(make_config(tmp_path / "data")) as running:
        yield running


@pytest.fixture
def config(receiver: Receiver) -> Config:
    return receiver._config


def test_it_starts_without_torch() -> None:
    code = "import node.receiver, node.spool, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_stops_while_a_connection_is_being_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking, start = threading.Event(), threading.Thread.start

    def start_slowly(thread: threading.Thread) -> None:
        if thread.name.endswith("(_serve)"):
            taking.set()
            time.sleep(0.3)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    config = make_config(tmp_path / "data")
    address = LOOPBACK, config.node.port
    with running_receiver(config) as running, socket.create_connection(address, timeout=5):
        assert taking.wait(30)
        running.stop()


def test_echo(config: Config) -> None:
    association = associate(config, contexts=[build_context(Verification)])
    assert association.send_c_echo().Status == 0
    association.release()


def test_store_keeps_the_instance_as_received(config: Config) -> None:
    ds = small_ct()
    association = associate(config)
    assert association.send_c_store(ds).Status == 0
    association.release()
    (path,) = files_in(config.node.data_dir / "incoming")
    found = pydicom.dcmread(path)
    assert found == ds
    assert found.file_meta.SourceApplicationEntityTitle == CALLER


@pytest.mark.dcmtk
def test_dcmtk_speaks_with_it(config: Config, tmp_path: Path) -> None:
    echo = [program("echoscu"), "-aet", CALLER, "-aec", "VSCANNER", LOOPBACK]
    subprocess.run([*echo, str(config.node.port)], check=True, capture_output=True)
    refused = subprocess.run(
        [
            program("echoscu"),
            "-aet",
            "STRANGER",
            "-aec",
            "VSCANNER",
            LOOPBACK,
            str(config.node.port),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Calling AE Title Not Recognized" in refused.stderr
    files = []
    for number, ds in enumerate(same_series(5)):
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
        files.append(str(tmp_path / f"{number}.dcm"))
    store = [program("storescu"), "-aet", CALLER, "-aec", "VSCANNER", LOOPBACK]
    subprocess.run([*store, str(config.node.port), *files], check=True, capture_output=True)
    assert len(files_in(config.node.data_dir / "incoming")) == 5


def is_rejected(config: Config, calling: str = CALLER) -> bool:
    """Asked byte by byte: pynetdicom takes a rejection that comes at once for an abort at times."""
    with RawPeer(config) as peer:
        peer.send(associate_request(calling=calling))
        answer = peer.receive()
    return answer is not None and answer[0] == 3


def test_with_no_peers_everybody_is_refused_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = make_config(tmp_path).model_copy(update={"peers": ()})
    with running_receiver(config):
        assert is_rejected(config)
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert "no_peers" in actions


def test_totals_and_one_line_for_each_association(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = make_config(tmp_path)
    with running_receiver(config) as running:
        association = associate(config)
        association.send_c_store(small_ct())
        association.release()
        assert is_rejected(config, calling="STRANGER")
    with running.database().connect() as connection:
        counts = read_counts(connection)
    running.database().dispose()
    assert (counts["associations", "RELEASED"], counts["associations", "REFUSED"]) == (1, 1)
    ended = [r for r in caplog.records if getattr(r, "action", "") == "association_ended"]
    assert [(r.stored, r.calling_ae) for r in ended] == [(1, CALLER), (0, "STRANGER")]  # type: ignore[attr-defined]
    assert not any("Phantom" in str(record.__dict__) for record in caplog.records)


def test_an_association_for_nothing_that_is_taken_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config, progressive = make_config(tmp_path), "1.2.840.10008.1.2.4.55"  # JPEG, process 10 and 12
    with running_receiver(config), RawPeer(config) as peer:
        peer.send(associate_request(transfer=progressive))
        peer.receive()
        peer.send(pdu.abort(pdu.NOT_SPECIFIED))
        assert peer.receive() is None
    (ended,) = [r for r in caplog.records if getattr(r, "action", "") == "association_ended"]
    assert "no presentation context accepted of CT Image Storage in JPEG Full" in ended.getMessage()


def test_more_associations_than_the_limit_are_asked_to_try_again(tmp_path: Path) -> None:
    config = make_config(tmp_path, max_associations=2)
    with running_receiver(config):
        peers = [RawPeer(config) for _ in range(3)]
        for peer in peers[:2]:
            peer.associate()
        peers[2].send(associate_request())
        assert peers[2].receive() == (3, bytes((0, 2, 3, 2)))
        for peer in peers:
            peer.socket.close()


@pytest.mark.parametrize("secure", [False, True])
def test_those_who_say_nothing_do_not_keep_the_others_out(tmp_path: Path, secure: bool) -> None:
    ours, theirs = certificate(tmp_path, "ours"), certificate(tmp_path, "theirs")
    tls = {**ours, "ca": theirs["certificate"]}
    context = ssl.create_default_context(cafile=ours["certificate"])
    context.check_hostname = False
    context.load_cert_chain(theirs["certificate"], theirs["key"])
    config = make_config(tmp_path / "data", max_associations=2, tls=tls if secure else None)
    with running_receiver(config), contextlib.ExitStack() as stack:
        address = (LOOPBACK, config.node.port)
        silent = [stack.enter_context(socket.create_connection(address, 30)) for _ in range(10)]
        association = associate(config, tls_args=(context, None) if secure else None)
        assert association.is_established
        assert silent[0].recv(1) == b""  # the first gave way
        association.release()


@pytest.mark.parametrize("speaks", [True, False])
def test_a_silent_association_is_ended(tmp_path: Path, speaks: bool) -> None:
    config = make_config(tmp_path, idle_timeout_s=0.3)
    with running_receiver(config), RawPeer(config) as peer:
        if speaks:
            peer.associate()
        answer = peer.receive()
        assert answer is None or answer[0] == 7
        assert answer is None or peer.receive() is None


def test_a_commitment_report_reaches_its_row(receiver: Receiver, config: Config) -> None:
    transaction = generate_uid()
    row = {
        "transaction_uid": transaction,
        "job_id": "j",
        "destination": "modality",
        "state": "ASKED",
        "failed": {},
        "asked": datetime.datetime.now(UTC),
    }
    with receiver.database().begin() as connection:
        connection.execute(sa.insert(commitments).values(row))
    association = associate(
        config,
        contexts=[build_context(StorageCommitmentPushModel)],
        ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
    )
    assert association.is_established
    status, _ = association.send_n_event_report(
        report_dataset(transaction, {"1.2.3": 0x0112}),
        2,
        StorageCommitmentPushModel,
        StorageCommitmentPushModelInstance,
    )
    association.release()
    assert status.Status == 0
    with receiver.database().connect() as connection:
        found = connection.execute(sa.select(commitments)).one()
    assert (found.state, found.failed) == ("FAILED", {"1.2.3": 0x0112})


def test_stopping_lets_a_transfer_end(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with running_receiver(config) as running:
        association = associate(config)
        running.stop()
        assert association.send_c_store(small_ct()).Status == 0
        association.release()
    assert len(files_in(tmp_path / "incoming")) == 1


def test_what_was_received_is_admitted(receiver: Receiver, config: Config) -> None:
    slices = same_series(4)
    association = associate(config)
    for ds in slices:
        association.send_c_store(ds)
    association.release()
    spool = Spool(config.node.data_dir, receiver.database())
    wait_until(lambda: bool(list(config.node.data_dir.glob("incoming/*.json"))))
    while spool.admit_incoming():
        pass
    assert len(series_paths(spool, slices[0].SeriesInstanceUID)) == 4
    assert last_release(spool, slices[0].SeriesInstanceUID) is not None


def answer_over_tls(config: Config, context: ssl.SSLContext) -> bytes:
    """First byte of the answer to an association request; nothing when we are not let in."""
    plain = socket.create_connection((LOOPBACK, config.node.port), timeout=10)
    with plain, context.wrap_socket(plain) as secure:
        try:
            secure.sendall(associate_request())
            return secure.recv(1)
        except OSError:
            return b""


def test_tls_is_mutual(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "ours"), certificate(tmp_path, "theirs")
    tls = {**ours, "ca": theirs["certificate"]}
    config = make_config(tmp_path / "data", tls=tls, idle_timeout_s=5)
    context = ssl.create_default_context(cafile=ours["certificate"])
    context.check_hostname = False
    with running_receiver(config):
        with RawPeer(config) as plain:
            plain.send(associate_request())
            assert plain.receive() is None or plain.receive() is None
        assert answer_over_tls(config, context) == b""
        context.load_cert_chain(theirs["certificate"], theirs["key"])
        assert answer_over_tls(config, context) == b"\x02"
        association = associate(config, tls_args=(context, None))
        assert association.send_c_store(small_ct()).Status == 0
        association.release()
    assert len(files_in(tmp_path / "data" / "incoming")) == 1


def test_a_large_instance_needs_little_memory(config: Config) -> None:
    ds = small_ct()
    data = encoded(ds)
    head = data[: data.rindex(b"\xe0\x7f\x10\x00OW")]
    length, step = 96 << 20, 1 << 16
    pixels = b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little")
    with RawPeer(config) as peer:
        peer.associate()
        before = psutil.Process().memory_info().rss
        peer.send(p_data(pdv(store_command(ds), command=True, last=True)))
        peer.send(p_data(pdv(head + pixels, command=False, last=False)))
        piece = p_data(pdv(bytes(step), command=False, last=False))
        for _ in range(length // step):
            peer.send(piece)
        peer.send(p_data(pdv(b"", command=False, last=True)))
        assert status_of(peer.receive()) == 0
        assert psutil.Process().memory_info().rss - before < 32 << 20
    (path,) = files_in(config.node.data_dir / "incoming")
    assert path.stat().st_size > length


def test_a_connection_for_which_there_is_no_thread_is_not_the_last(config: Config) -> None:
    address = (LOOPBACK, config.node.port)
    threading.stack_size(1 << 46)  # as when the machine has no room for another thread
    try:
        with socket.create_connection(address) as refused:
            refused.settimeout(30)
            assert refused.recv(1) == b""
    finally:
        threading.stack_size(0)
    association = associate(config, contexts=[build_context(Verification)])
    assert association.send_c_echo().Status == 0
    association.release()
