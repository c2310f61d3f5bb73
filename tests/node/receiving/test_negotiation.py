from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ

from dicom_profiles.storage import ACCEPTED_TRANSFER_SYNTAXES, STORAGE_CLASSES
from node.receiving import negotiation
from node.receiving.negotiation import Agreement, Context, Refusal, negotiate, supported_contexts
from node.receiving.pdu import ProtocolError
from tests.node.receiving.running import CALLER, associate_request, make_config

CONFIG = make_config(Path("unused"))


def body_of(pdu: bytes) -> memoryview:
    return memoryview(pdu)[6:]


def test_a_known_peer_is_accepted() -> None:
    reply, agreement, calling = negotiate(body_of(associate_request()), CONFIG)
    context = Context(CTImageStorage, ExplicitVRLittleEndian)
    assert agreement == Agreement(CALLER, {1: context}, 16384)
    assert calling == CALLER
    accepted = A_ASSOCIATE_AC()
    accepted.decode(reply)
    primitive = accepted.to_primitive()
    assert primitive.maximum_length_received == CONFIG.node.max_pdu_bytes
    (found,) = primitive.presentation_context_definition_results_list
    assert (found.context_id, found.result) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"calling": "STRANGER"}, negotiation.CALLING_AE_UNKNOWN),
        ({"calling": "ARCHIVE"}, negotiation.CALLING_AE_UNKNOWN),
        ({"calling": CALLER.lower()}, negotiation.CALLING_AE_UNKNOWN),
        ({"called": "ANY-SCP"}, negotiation.CALLED_AE_UNKNOWN),
        ({"application": b"1.2.3"}, negotiation.CONTEXT_NAME_UNKNOWN),
        ({"version": 2}, negotiation.PROTOCOL_UNKNOWN),
    ],
)
def test_everybody_else_is_rejected(changes: dict[str, object], wanted: Refusal) -> None:
    request = associate_request(**changes)  # type: ignore[arg-type]
    reply, refusal, _ = negotiate(body_of(request), CONFIG)
    assert refusal == wanted
    rejected = A_ASSOCIATE_RJ()
    rejected.decode(reply)
    found = (rejected.result, rejected.source, rejected.reason_diagnostic)
    assert found == (wanted.result, wanted.source, wanted.diagnostic)


def test_a_full_receiver_asks_to_try_again() -> None:
    _, refusal, _ = negotiate(body_of(associate_request()), CONFIG, is_full=True)
    assert refusal == negotiation.TOO_MANY


def test_an_unknown_class_is_not_accepted() -> None:
    _, agreement, _ = negotiate(body_of(associate_request(abstract="1.2.3")), CONFIG)
    assert isinstance(agreement, Agreement)
    assert agreement.contexts == {}
    assert agreement.reason == (
        "no presentation context accepted of 1.2.3 in Explicit VR Little Endian"
    )


def test_every_class_is_taken_in_every_transfer_syntax() -> None:
    by_class = {str(c.abstract_syntax): c for c in supported_contexts()}
    for uid in STORAGE_CLASSES:
        assert tuple(by_class[uid].transfer_syntax) == ACCEPTED_TRANSFER_SYNTAXES


@pytest.mark.filterwarnings("ignore:.*for VR UI")
@given(data=st.data())
@settings(deadline=None)
def test_a_broken_request_is_answered_or_refused(data: st.DataObject) -> None:
    request = bytearray(associate_request())
    for _ in range(data.draw(st.integers(1, 4))):
        request[data.draw(st.integers(6, len(request) - 1))] = data.draw(st.integers(0, 255))
    stop = data.draw(st.one_of(st.just(len(request)), st.integers(6, len(request))))
    try:
        negotiate(memoryview(bytes(request[6:stop])), CONFIG)
    except ProtocolError:
        return
