from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode

from node.receiving import dimse
from node.receiving.dimse import CommandError, Request


def pynetdicom_command() -> bytes:
    primitive = C_STORE()
    primitive.MessageID = 9
    primitive.AffectedSOPClassUID = CTImageStorage
    primitive.AffectedSOPInstanceUID = "1.2.3.4.5"
    primitive.Priority = 2
    primitive.DataSet = io.BytesIO(b"xx")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    return encoded


def test_a_command_of_pynetdicom_is_read() -> None:
    found = dimse.read_request(pynetdicom_command())
    assert found == Request(dimse.C_STORE_RQ, 9, True, CTImageStorage, "1.2.3.4.5", 0)


def test_pynetdicom_reads_our_response() -> None:
    request = Request(dimse.C_STORE_RQ, 9, True, CTImageStorage, "1.2.3.4.5", 0)
    data = dimse.write_response(request, dimse.OUT_OF_RESOURCES, "no room " * 20)
    ds = decode(io.BytesIO(data), True, True)
    assert ds.CommandGroupLength == len(data) - 12
    assert len(data) % 2 == 0  # PS3.5 6.2: every value has an even length
    assert (ds.CommandField, ds.Status) == (0x8001, 0xA700)
    assert (ds.MessageIDBeingRespondedTo, ds.CommandDataSetType) == (9, 0x0101)
    assert (ds.AffectedSOPClassUID, ds.AffectedSOPInstanceUID) == (CTImageStorage, "1.2.3.4.5")
    assert len(ds.ErrorComment) <= 64
    assert [int(tag) for tag in ds.keys()] == sorted(int(tag) for tag in ds.keys())  # noqa: SIM118


def test_a_report_response_names_the_event() -> None:
    request = Request(dimse.N_EVENT_REPORT_RQ, 1, True, "1.2", "1.3", 2)
    ds = decode(io.BytesIO(dimse.write_response(request, dimse.SUCCESS)), True, True)
    assert (ds.CommandField, ds.EventTypeID) == (0x8100, 2)


def command(**attributes: object) -> bytes:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    encoded = encode(ds, True, True)
    assert encoded is not None
    return encoded


def test_a_cancellation_has_no_message_id_of_its_own() -> None:
    """PS3.7 9.3.2.3."""
    cancel = command(
        CommandField=dimse.C_CANCEL_RQ, MessageIDBeingRespondedTo=9, CommandDataSetType=0x0101
    )
    assert dimse.read_request(cancel) == Request(dimse.C_CANCEL_RQ, 0, False, "", "", 0)


def test_an_n_set_names_what_it_is_about_as_requested() -> None:
    """PS3.7 10.3.3.1."""
    change = command(
        RequestedSOPClassUID="1.2.3",
        CommandField=0x0120,
        MessageID=7,
        CommandDataSetType=1,
        RequestedSOPInstanceUID="1.2.3.4",
    )
    assert dimse.read_request(change) == Request(0x0120, 7, True, "1.2.3", "1.2.3.4", 0)


@given(st.data())
def test_what_is_cut_or_changed_is_read_or_refused(data: st.DataObject) -> None:
    command = bytearray(pynetdicom_command())
    place = data.draw(st.integers(0, len(command) - 1))
    command[place] = data.draw(st.integers(0, 255))
    stop = data.draw(st.integers(0, len(command)))
    try:
        dimse.read_request(command[:stop])
    except CommandError:
        return


def test_a_command_without_its_field_is_refused() -> None:
    with pytest.raises(CommandError, match="0100"):
        dimse.read_request(b"")
