from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from node.receiving import dimse
from node.receiving.dimse import Request
from node.receiving.negotiation import Context
from node.receiving.services import Message, message_for
from node.spooling.incoming import Incoming
from tests.node.datasets import encoded, facts_of, files_in, small_ct

CT = Context(CTImageStorage, ExplicitVRLittleEndian)
COMMITMENT = Context(StorageCommitmentPushModel, ExplicitVRLittleEndian)


def no_database() -> Engine:
    raise OperationalError("connect", {}, Exception("the database is down"))


def begin(
    folder: Path, field: int, context: Context = CT, *, data: bool = True, min_free_bytes: int = 0
) -> tuple[Message, bytes]:
    ds = small_ct()
    request = Request(field, 1, data, context.abstract_syntax, ds.SOPInstanceUID, 1)
    incoming = Incoming(folder, min_free_bytes)
    message = message_for(request, context, facts_of(ds), incoming, no_database)
    return message, encoded(ds)


def test_a_store_is_a_success_when_it_is_there(tmp_path: Path) -> None:
    message, data = begin(tmp_path, dimse.C_STORE_RQ)
    message.write(memoryview(data))
    assert list((tmp_path / "incoming").glob("*.dcm")) == []
    message.finish()
    assert message.status == dimse.SUCCESS
    assert len(files_in(tmp_path)) == 1


def test_half_a_store_leaves_nothing(tmp_path: Path) -> None:
    message, data = begin(tmp_path, dimse.C_STORE_RQ)
    message.write(memoryview(data)[:1000])
    message.discard()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_no_room_is_a700_and_the_rest_is_dropped(tmp_path: Path) -> None:
    message, data = begin(tmp_path, dimse.C_STORE_RQ, min_free_bytes=1 << 62)
    message.write(memoryview(data))
    message.finish()
    message.discard()  # the association ends before it is told
    assert message.status == 0xA700
    assert "min_free_bytes" in message.comment


@pytest.mark.parametrize(
    ("field", "context", "data", "status"),
    [
        (dimse.C_ECHO_RQ, CT, False, dimse.SUCCESS),
        (dimse.C_STORE_RQ, CT, False, dimse.CANNOT_UNDERSTAND),
        (0x0020, CT, True, dimse.UNRECOGNIZED_OPERATION),
        (0x0130, COMMITMENT, True, dimse.UNRECOGNIZED_OPERATION),
        (dimse.C_STORE_RQ, COMMITMENT, True, dimse.UNRECOGNIZED_OPERATION),
        (dimse.N_EVENT_REPORT_RQ, CT, True, dimse.UNRECOGNIZED_OPERATION),
        (dimse.N_EVENT_REPORT_RQ, COMMITMENT, True, dimse.PROCESSING_FAILURE),
    ],
)
def test_statuses(tmp_path: Path, field: int, context: Context, data: bool, status: int) -> None:
    message, _ = begin(tmp_path, field, context, data=data)
    message.write(memoryview(b""))
    message.finish()
    assert message.status == status


def test_a_report_is_asked_for_again_when_the_database_is_down(tmp_path: Path) -> None:
    message, _ = begin(tmp_path, dimse.N_EVENT_REPORT_RQ, COMMITMENT)
    message.write(memoryview(b"\x08\x00\x95\x11UI\x04\x001.2\0"))
    message.finish()
    assert message.status == dimse.PROCESSING_FAILURE
    assert message.comment == "the message could not be recorded"


def test_a_class_other_than_the_context_s_is_not_supported(tmp_path: Path) -> None:
    ds = small_ct()
    request = Request(dimse.C_STORE_RQ, 1, True, "1.2.3", ds.SOPInstanceUID, 0)
    message = message_for(request, CT, facts_of(ds), Incoming(tmp_path), no_database)
    assert message.status == dimse.SOP_CLASS_NOT_SUPPORTED
