"""The services of the receiver: a message comes in piece by piece, a response goes out.

C-ECHO (PS3.4 annex A), C-STORE (PS3.4 annex B), N-EVENT-REPORT of storage commitment (annex J);
every other operation is answered as unrecognized (PS3.7 C.5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from node.receiving import dimse
from node.receiving.dimse import Request
from node.receiving.negotiation import Context
from node.receiving.reports import read_report, record_report
from node.spooling.elements import encoding_of
from node.spooling.errors import InstanceMismatch, SpoolError, SpoolFull, UnreadableDataset
from node.spooling.file_meta import ReceivedFacts
from node.spooling.incoming import Incoming, IncomingFile, InstanceIdentity

log = logging.getLogger(__name__)

MAX_REPORT_BYTES = 1 << 26  # of a commitment report: some 400,000 instances

# PS3.4 table B.2-1
STATUS_OF_ERROR: dict[type[SpoolError], int] = {
    SpoolFull: dimse.OUT_OF_RESOURCES,
    InstanceMismatch: dimse.DATA_SET_DOES_NOT_MATCH,
    UnreadableDataset: dimse.CANNOT_UNDERSTAND,
}


class Message(Protocol):
    """A request whose data set is arriving."""

    request: Request
    status: int
    comment: str

    def write(self, fragment: memoryview) -> None:
        """Take the next piece of the data set."""

    def finish(self) -> None:
        """The last piece came: do what was asked and set the status."""

    def discard(self) -> None:
        """The association ended before the last piece."""


class PlainMessage:
    """A request that is answered with a fixed status, whatever its data set is."""

    def __init__(self, request: Request, status: int, comment: str = "") -> None:
        self.request = request
        self.status = status
        self.comment = comment

    def write(self, fragment: memoryview) -> None:
        """Nothing is kept."""

    def finish(self) -> None:
        """Nothing is to be done."""

    def discard(self) -> None:
        """Nothing is to be removed."""


class StoreMessage:
    """A C-STORE request: the data set goes to `incoming/` as it comes."""

    def __init__(self, request: Request, facts: ReceivedFacts, incoming: Incoming) -> None:
        self.request = request
        self.status = dimse.SUCCESS
        self.comment = ""
        self.identity: InstanceIdentity | None = None
        self._file: IncomingFile | None = None
        try:
            self._file = incoming.begin(facts)
        except SpoolError as error:
            self._refuse(error)

    def write(self, fragment: memoryview) -> None:
        """Append to the file; after a failure the rest is read and dropped."""
        if self._file is not None:
            try:
                self._file.write(fragment)
            except SpoolError as error:
                self._refuse(error)

    def finish(self) -> None:
        """Check the data set and make it durable: then, and only then, it is a success."""
        if self._file is not None:
            try:
                self.identity = self._file.commit()
            except SpoolError as error:
                self._refuse(error)

    def discard(self) -> None:
        """Half a message leaves nothing."""
        if self._file is not None:
            self._file.discard()

    def _refuse(self, error: SpoolError) -> None:
        self._file = None
        self.status = STATUS_OF_ERROR[type(error)]
        self.comment = str(error)


class ReportMessage:
    """An N-EVENT-REPORT request of storage commitment."""

    def __init__(
        self, request: Request, transfer_syntax: str, database: Callable[[], Engine]
    ) -> None:
        self.request = request
        self.status = dimse.SUCCESS
        self.comment = ""
        self._transfer_syntax = transfer_syntax
        self._database = database
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Collect the report; one beyond the bound stays cut short, and is refused as such."""
        if len(self._data) <= MAX_REPORT_BYTES:
            self._data += fragment

    def finish(self) -> None:
        """Write it into the database; when that fails the peer should report again."""
        try:
            report = read_report(bytes(self._data), encoding_of(self._transfer_syntax))
            record_report(self._database(), report, self.request.event_type_id)
        except (UnreadableDataset, SQLAlchemyError) as error:
            self.status = dimse.PROCESSING_FAILURE
            self.comment = "the report could not be recorded"
            facts = {"action": "commitment_report_failed"}
            log.warning("a commitment report failed: %s", error, extra=facts)

    def discard(self) -> None:
        """Nothing is to be removed."""


def message_for(
    request: Request,
    context: Context,
    facts: ReceivedFacts,
    incoming: Incoming,
    database: Callable[[], Engine],
) -> Message:
    """The message that a request begins, in its presentation context."""
    if request.command_field == dimse.C_ECHO_RQ:
        return PlainMessage(request, dimse.SUCCESS)
    known = (dimse.C_STORE_RQ, dimse.N_EVENT_REPORT_RQ)
    is_report_context = context.abstract_syntax == StorageCommitmentPushModel
    is_report = request.command_field == dimse.N_EVENT_REPORT_RQ
    if request.command_field not in known or is_report != is_report_context:
        return PlainMessage(request, dimse.UNRECOGNIZED_OPERATION)
    if request.sop_class_uid != context.abstract_syntax:  # PS3.7 9.1.1.1.9
        sentence = "the SOP Class is not that of the presentation context"
        return PlainMessage(request, dimse.SOP_CLASS_NOT_SUPPORTED, sentence)
    if not request.has_data_set:
        return PlainMessage(request, dimse.CANNOT_UNDERSTAND, "wanted a data set, got none")
    if is_report:
        return ReportMessage(request, context.transfer_syntax, database)
    return StoreMessage(request, facts, incoming)
