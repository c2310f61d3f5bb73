from __future__ import annotations

import contextlib
import json
import logging
import random
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.config import Config
from node.receiver import Receiver
from node.receiving import pdu
from tests.node.datasets import encoded, files_in, same_series, small_ct
from tests.node.receiving.running import (
    RawPeer,
    associate_request,
    make_config,
    p_data,
    pdv,
    running_receiver,
    status_of,
    store_command,
)
from tests.servers import wait_until

RELEASE = struct.pack(">BxLL", pdu.RELEASE_RQ, 4, 0)
ABORT = struct.pack(">BxLL", pdu.ABORT, 4, 0)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    config = make_config(tmp_path_factory.mktemp("data"), max_associations=100)
    with running_receiver(config) as running:
        yield running


@pytest.fixture
def config(receiver: Receiver) -> Config:
    return receiver._config


def stored(config: Config) -> list[Path]:
    return files_in(config.node.data_dir / "incoming")


def working(config: Config) -> list[Path]:
    return list(config.node.data_dir.glob("incoming/.work-*/*"))


def instances_of(config: Config, uid: str) -> list[Path]:
    return [path for path in stored(config) if uid.encode() in path.read_bytes()[:600]]


def notes_of(config: Config, ds: Dataset) -> list[dict[str, object]]:
    """What the ends of associations left to say about the series of an image."""
    texts = [path.read_text() for path in config.node.data_dir.glob("incoming/*.json")]
    return [note for note in map(json.loads, texts) if ds.SeriesInstanceUID in note["series"]]


def test_a_message_may_be_cut_in_any_way(config: Config) -> None:
    ds = small_ct()
    command, data = store_command(ds), encoded(ds)
    draw = random.Random(4)
    with RawPeer(config) as peer:
        peer.associate()
        pieces = [pdv(command[:9], command=True, last=False), pdv(b"", command=True, last=False)]
        pieces.append(pdv(command[9:], command=True, last=True))
        start = 0
        while start < len(data):
            step = draw.choice([1, 7, 100, 901])
            last = start + step >= len(data)
            pieces.append(pdv(data[start : start + step], command=False, last=last))
            start += step
        while pieces:
            count = draw.randint(1, 4)
            peer.send(p_data(*pieces[:count]))
            pieces = pieces[count:]
        assert status_of(peer.receive()) == 0
        peer.send(RELEASE)
        assert peer.receive() == (pdu.RELEASE_RP, bytes(4))
        assert peer.receive() is None
    (path,) = instances_of(config, ds.SOPInstanceUID)
    assert path.read_bytes().endswith(data)


def test_two_messages_in_one_go_are_both_answered(config: Config) -> None:
    """Nobody may do so without negotiating asynchronous operations; nothing breaks all the same."""
    first, second = same_series(2)
    with RawPeer(config) as peer:
        peer.associate()
        stream = b""
        for number, ds in enumerate((first, second)):
            command = pdv(store_command(ds, number), command=True, last=True)
            stream += p_data(command, pdv(encoded(ds), command=False, last=True))
        peer.send(stream)
        assert status_of(peer.receive()) == status_of(peer.receive()) == 0


def test_a_bad_instance_among_good_ones_is_refused_alone(config: Config) -> None:
    good, cut, mismatch, after = same_series(4)
    cases = [
        (good, encoded(good), 0),
        (cut, encoded(cut)[:-9], 0xC000),
        (mismatch, encoded(good), 0xA900),
        (after, encoded(after), 0),
    ]
    with RawPeer(config) as peer:
        peer.associate()
        for ds, data, wanted in cases:
            command = pdv(store_command(ds), command=True, last=True)
            peer.send(p_data(command) + p_data(pdv(data, command=False, last=True)))
            assert status_of(peer.receive()) == wanted
    for ds, count in ((good, 1), (cut, 0), (mismatch, 0), (after, 1)):
        assert len(instances_of(config, ds.SOPInstanceUID)) == count
    wait_until(lambda: working(config) == [])  # the note of an association is begun there too


@pytest.mark.parametrize("ending", [ABORT, b""])
def test_half_a_message_leaves_nothing_and_what_was_acknowledged_stays(
    config: Config, ending: bytes
) -> None:
    whole, half = same_series(2)
    with RawPeer(config) as peer:
        peer.associate()
        for ds, share, last in ((whole, 1.0, True), (half, 0.5, False)):
            data = encoded(ds)[: int(share * len(encoded(ds)))]
            command = pdv(store_command(ds), command=True, last=True)
            peer.send(p_data(command, pdv(data, command=False, last=last)))
            if last:
                assert status_of(peer.receive()) == 0
        wait_until(lambda: len(working(config)) == 1, what="the half message to arrive")
        peer.send(ending)
    wait_until(lambda: working(config) == [], what="the half message to be removed")
    assert len(instances_of(config, whole.SOPInstanceUID)) == 1
    assert instances_of(config, half.SOPInstanceUID) == []
    wait_until(lambda: len(notes_of(config, whole)) == 1, what="the note of the association")
    (note,) = notes_of(config, whole)
    assert note["outcome"] == ("ABORTED" if ending else "LOST")


def test_a_release_leaves_a_note_of_what_came(config: Config) -> None:
    slices = same_series(3)
    with RawPeer(config) as peer:
        peer.associate()
        for ds in slices:
            command = pdv(store_command(ds), command=True, last=True)
            peer.send(p_data(command, pdv(encoded(ds), command=False, last=True)))
            assert status_of(peer.receive()) == 0
        peer.send(RELEASE)
        peer.receive()
        assert peer.receive() is None
    wait_until(lambda: len(notes_of(config, slices[0])) == 1)
    (found,) = notes_of(config, slices[0])
    assert found["outcome"] == "RELEASED"
    assert found["series"] == {slices[0].SeriesInstanceUID: 3}


CT = small_ct()
COMMAND = pdv(store_command(CT), command=True, last=True)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x09\0\0\0\0\0", pdu.UNRECOGNIZED_PDU),
        (struct.pack(">BxL", 4, 1 << 31), pdu.INVALID_PARAMETER),
        (associate_request(), pdu.UNEXPECTED_PDU),
        (p_data(pdv(b"data", command=False, last=True)), pdu.UNEXPECTED_PARAMETER),
        (p_data(COMMAND, COMMAND), pdu.UNEXPECTED_PARAMETER),
        (p_data(pdv(b"", command=True, last=True, context=9)), pdu.UNEXPECTED_PARAMETER),
        (p_data(COMMAND, pdv(b"x", command=False, last=True, context=3)), pdu.UNEXPECTED_PARAMETER),
        (p_data(pdv(b"junk", command=True, last=True)), pdu.INVALID_PARAMETER),
        (p_data(b"\0\0\0\1\1\3"), pdu.INVALID_PARAMETER),
        (p_data(*[pdv(bytes(30000), command=True, last=False)] * 3), pdu.INVALID_PARAMETER),
    ],
)
def test_a_breach_of_the_protocol_is_an_abort(config: Config, sent: bytes, reason: int) -> None:
    with RawPeer(config) as peer:
        peer.associate()
        peer.send(sent)
        assert peer.receive() == (pdu.ABORT, bytes((0, 0, pdu.BY_PROVIDER, reason)))
        assert peer.receive() is None
    wait_until(lambda: working(config) == [])


def test_a_first_pdu_that_is_no_request_is_an_abort(config: Config) -> None:
    with RawPeer(config) as peer:
        peer.send(RELEASE)
        answer = peer.receive()
    assert answer is not None
    assert answer[0] == pdu.ABORT


@given(data=st.data())
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_peer_that_sends_noise_does_no_harm(config: Config, data: st.DataObject) -> None:
    """A valid exchange with a few bytes changed, cut anywhere."""
    stream = bytearray(p_data(COMMAND) + p_data(pdv(encoded(CT)[:3000], command=False, last=True)))
    for _ in range(data.draw(st.integers(0, 5))):
        stream[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    with RawPeer(config) as peer:
        peer.associate()
        peer.send(bytes(stream[: data.draw(st.integers(0, len(stream)))]))
    wait_until(lambda: working(config) == [])


def test_after_all_this_it_still_stores(config: Config) -> None:
    test_a_message_may_be_cut_in_any_way(config)


STOPS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "after the command": lambda command, _data: p_data(command),
    "within the data set": lambda command, data: p_data(
        command, pdv(data[: len(data) // 2], command=False, last=False)
    ),
    "within a PDU": lambda command, data: (
        p_data(command) + p_data(pdv(data, command=False, last=True))[: len(data) // 2]
    ),
    "within the header of a PDU": lambda command, _data: p_data(command) + b"\x04\x00",
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_peer_that_says_no_more_of_an_instance_is_let_go(
    stop: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A-ABORT after the silence, one line in the log; nothing of the instance is held or left."""
    silence_s = 1.0
    config = make_config(tmp_path, idle_timeout_s=silence_s)
    caplog.set_level(logging.WARNING, "node.receiving")
    ds = small_ct()
    command = pdv(store_command(ds), command=True, last=True)
    with running_receiver(config) as receiver, RawPeer(config) as peer:
        peer.associate()
        began = time.monotonic()
        peer.send(STOPS[stop](command, encoded(ds)))
        wait_until(lambda: len(working(config)) == 1, what="the file to be begun")
        answer = peer.receive()
        waited_s = time.monotonic() - began
        assert answer is not None
        assert answer[0] == pdu.ABORT
        assert silence_s < waited_s < silence_s + 10  # the machine may be busy
        wait_until(lambda: not receiver._connections, what="its thread to end")
    assert working(config) == []
    assert stored(config) == []
    (line,) = [record for record in caplog.records if record.name == "node.receiving.association"]
    assert line.getMessage() == f"association lost: silent for {silence_s} s"


def test_a_peer_that_drips_is_let_go_too(tmp_path: Path) -> None:
    """A byte now and then is no silence, but a PDU has to come in the time that silence has."""
    config = make_config(tmp_path, idle_timeout_s=0.6)
    ds = small_ct()
    whole = p_data(pdv(encoded(ds), command=False, last=True))
    with running_receiver(config) as receiver, RawPeer(config) as peer:
        peer.associate()
        peer.send(p_data(pdv(store_command(ds), command=True, last=True)))
        with contextlib.suppress(OSError):  # it has hung up
            for position in range(100):
                peer.send(whole[position : position + 1])
                time.sleep(0.1)
                if not receiver._connections:
                    break
        assert position < 90
    assert working(config) == []
