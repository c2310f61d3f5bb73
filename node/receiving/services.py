"""The services of the receiver: a message comes in piece by piece, a response goes out.

C-ECHO (PS3.4 annex A), C-STORE (annex B), N-EVENT-REPORT of storage commitment (annex J),
N-CREATE and N-SET of performed procedure steps (annex F); every other operation is answered as
unrecognized (PS3.7 C.5).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from node.receiving import dimse
from node.receiving.dimse import Request
from node.receiving.negotiation import Context
from node.receiving.performed_steps import create_step, read_step, set_step
from node.receiving.reports import read_report, record_report
from node.spooling.elements import Encoding, encoding_of
from node.spooling.errors import InstanceMismatch, SpoolError, SpoolFull, UnreadableDataset
from node.spooling.file_meta import ReceivedFacts
from node.spooling.incoming import Incoming, IncomingFile, InstanceIdentity

log = logging.getLogger(__name__)

MAX_REPORT_BYTES = 1 << 24  # of a report: some 100,000 instances

STORAGE = (dimse.C_STORE_RQ,)
OPERATIONS: Mapping[str, tuple[int, ...]] = {
    StorageCommitmentPushModel: (dimse.N_EVENT_REPORT_RQ,),
    ModalityPerformedProcedureStep: (dimse.N_CREATE_RQ, dimse.N_SET_RQ),
}
"""Operations of the services that go into the database; every other context is for storage."""

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


Record: TypeAlias = Callable[[Engine, bytes, Encoding], int]
"""Writes what a message says into the database; gives the DIMSE status."""


class RecordMessage:
    """A message whose data set goes into the database: a report, a procedure step."""

    def __init__(
        self,
        request: Request,
        transfer_syntax: str,
        database: Callable[[], Engine],
        record: Record,
    ) -> None:
        self.request = request
        self.status = dimse.SUCCESS
        self.comment = ""
        self._transfer_syntax = transfer_syntax
        self._database = database
        self._record = record
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Collect the data set; one beyond the bound stays cut short, and is refused as such."""
        if len(self._data) <= MAX_REPORT_BYTES:
            self._data += fragment

    def finish(self) -> None:
        """Record it; when that fails the peer should say it again."""
        try:
            encoding = encoding_of(self._transfer_syntax)
            self.status = self._record(self._database(), bytes(self._data), encoding)
        except (UnreadableDataset, SQLAlchemyError) as error:
            self.status = dimse.PROCESSING_FAILURE
            self.comment = "the message could not be recorded"
            facts = {"action": "record_failed", "sop_class_uid": self.request.sop_class_uid}
            log.warning("a message could not be recorded: %s", error, extra=facts)

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
    if request.command_field not in OPERATIONS.get(context.abstract_syntax, STORAGE):
        return PlainMessage(request, dimse.UNRECOGNIZED_OPERATION)
    if request.sop_class_uid != context.abstract_syntax:  # PS3.7 9.1.1.1.9
        sentence = "the SOP Class is not that of the presentation context"
        return PlainMessage(request, dimse.SOP_CLASS_NOT_SUPPORTED, sentence)
    if not request.has_data_set:
        return PlainMessage(request, dimse.CANNOT_UNDERSTAND, "wanted a data set, got none")
    if context.abstract_syntax in OPERATIONS:
        record = _recorder(request, facts.source_ae)
        return RecordMessage(request, context.transfer_syntax, database, record)
    return StoreMessage(request, facts, incoming)


def _recorder(request: Request, calling_ae: str) -> Record:
    """What is to be recorded of this operation."""

    def report(database: Engine, data: bytes, encoding: Encoding) -> int:
        record_report(database, read_report(data, encoding), request.event_type_id)
        return dimse.SUCCESS

    def create(database: Engine, data: bytes, encoding: Encoding) -> int:
        step = read_step(data, encoding)
        return create_step(database, request.sop_instance_uid, step, calling_ae)

    def change(database: Engine, data: bytes, encoding: Encoding) -> int:
        return set_step(database, request.sop_instance_uid, read_step(data, encoding))

    recorders: Mapping[int, Record] = {
        dimse.N_EVENT_REPORT_RQ: report,
        dimse.N_CREATE_RQ: create,
        dimse.N_SET_RQ: change,
    }
    return recorders[request.command_field]
