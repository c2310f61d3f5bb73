from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from node.assembling.questions import AT_A_TIME, Questions
from node.config import Config, PeerSettings
from tests.servers import free_port, wait_until

NOW = datetime(2025, 3, 10, tzinfo=UTC)
ROW = SimpleNamespace(series_instance_uid="1.2.3", study_instance_uid="1.2", source_ae="PACS")


class SlowPeer:
    """A real C-FIND SCP that answers 7 when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = 0
        entity = AE("PACS")
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        self.server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, self._answer)]
        )
        assert self.server is not None
        assert self.server.socket is not None
        self.port = int(self.server.socket.getsockname()[1])

    def _answer(self, event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        self.asked += 1
        self.go.wait(30)
        found = Dataset()
        found.QueryRetrieveLevel = "SERIES"
        found.NumberOfSeriesRelatedInstances = 7
        yield 0xFF00, found


@pytest.fixture
def peer() -> Iterator[SlowPeer]:
    made = SlowPeer()
    yield made
    made.go.set()
    assert made.server is not None
    made.server.shutdown()


def questions_to(port: int, *, query: bool = True) -> Questions:
    settings = PeerSettings(name="p", ae_title="PACS", host="127.0.0.1", port=port, query=query)
    return Questions(Config(peers=(settings,)), lambda: NOW)


def test_only_peers_that_may_be_asked() -> None:
    assert questions_to(1).can_ask("PACS")
    assert not questions_to(1).can_ask("STRANGER")
    assert not questions_to(1, query=False).can_ask("PACS")


def test_the_answer_is_pending_until_it_comes(peer: SlowPeer) -> None:
    questions = questions_to(peer.port)
    assert questions.answer("1.2.3") is None
    questions.ask(ROW, 5)
    pending = questions.answer("1.2.3")
    assert pending is not None
    assert (pending.pending, pending.count, pending.instances) == (True, None, 5)
    peer.go.set()
    wait_until(lambda: not getattr(questions.answer("1.2.3"), "pending", True), what="the answer")
    answer = questions.answer("1.2.3")
    assert answer is not None
    assert (answer.count, answer.instances, answer.asked) == (7, 5, NOW)
    questions.forget("1.2.3")
    assert questions.answer("1.2.3") is None
    questions.close()


@pytest.mark.filterwarnings(  # pynetdicom leaves a refused socket to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_peer_that_is_down_has_no_count() -> None:
    questions = questions_to(free_port())
    questions.ask(ROW, 5)
    wait_until(lambda: not getattr(questions.answer("1.2.3"), "pending", True), what="the failure")
    answer = questions.answer("1.2.3")
    assert answer is not None
    assert answer.count is None
    questions.close()


def test_nobody_asks_about_what_is_decided(peer: SlowPeer) -> None:
    questions = questions_to(peer.port)
    rows = [SimpleNamespace(**{**vars(ROW), "series_instance_uid": f"1.2.{n}"}) for n in range(9)]
    for row in rows:  # more than are asked at a time: the PACS is slow
        questions.ask(row, 5)
    for row in rows:
        questions.forget(row.series_instance_uid)
    peer.go.set()
    questions.ask(ROW, 5)
    wait_until(lambda: not getattr(questions.answer("1.2.3"), "pending", True), what="the answer")
    assert peer.asked <= AT_A_TIME + 1
    questions.close()
