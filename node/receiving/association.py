"""One association, from its first byte to its end (PS3.8 section 7)."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.engine import Engine

from node.config import Config
from node.counters import CounterBuffer
from node.receiving import dimse, pdu
from node.receiving.negotiation import Agreement, Context, Refusal, negotiate
from node.receiving.pdu import ConnectionLost, PDUReader, PresentationDataValue, ProtocolError
from node.receiving.services import Message, StoreMessage, message_for
from node.spooling.file_meta import ReceivedFacts
from node.spooling.incoming import Incoming

log = logging.getLogger(__name__)

ARTIM_S = 30.0  # PS3.8 9.1.5: longest wait for the A-ASSOCIATE-RQ
MAX_COMMAND_BYTES = 1 << 16

RELEASED, ABORTED, LOST, REFUSED, FAULTY = "RELEASED", "ABORTED", "LOST", "REFUSED", "FAULTY"
PROBED = "PROBED"  # came and went without a whole request: a health check or a port scan
LEVELS = {RELEASED: logging.INFO, PROBED: logging.DEBUG}  # everything else is a warning
NOTED = {RELEASED: RELEASED, ABORTED: ABORTED}  # everything else ended without a word: LOST


@dataclass(frozen=True)
class Surroundings:
    """What all associations of a receiver process share.

    Attributes:
        config: the node's configuration.
        incoming: where instances go.
        counters: running totals.
        database: opens the database at first use; may raise SQLAlchemyError.
    """

    config: Config
    incoming: Incoming
    counters: CounterBuffer
    database: Callable[[], Engine]


@dataclass
class Tally:
    """What happened on an association."""

    calling_ae: str = ""
    stored: int = 0
    refused: int = 0
    series: Counter[str] = field(default_factory=Counter)
    reason: str = ""


class Association:
    """Talks with one peer until the association ends.

    Args:
        connection: accepted, with TLS already on it where that is configured.
        address: of the peer, for the log.
        surroundings: what all associations share.
        admit: asked when the request is here: whether there is room for one more association.
    """

    def __init__(
        self,
        connection: socket.socket,
        address: str,
        surroundings: Surroundings,
        admit: Callable[[], bool],
    ) -> None:
        self.name = secrets.token_hex(6)
        self._connection = connection
        self._address = address
        self._shared = surroundings
        self._admit = admit
        self._tally = Tally()
        self._heard = False
        self._agreement = Agreement("", {}, 0)
        self._command = bytearray()
        self._message: Message | None = None
        self._message_context = 0

    def run(self) -> None:
        """Serve the peer; whatever goes wrong ends here and is one line in the log."""
        started = time.monotonic()
        outcome = FAULTY
        try:
            outcome = self._talk()
        except ConnectionLost as error:
            outcome, self._tally.reason = LOST if self._heard else PROBED, str(error)
            self._send(pdu.abort(pdu.NOT_SPECIFIED))
        except ProtocolError as error:
            self._tally.reason = str(error)
            self._send(pdu.abort(error.reason))
        except Exception:  # the DIMSE boundary: one association must not end the process
            log.exception("an association failed", extra={"action": "association_failed"})
            self._send(pdu.abort(pdu.NOT_SPECIFIED))
        finally:
            if self._message is not None:
                self._message.discard()
            self._hang_up()
            self._account(outcome, time.monotonic() - started)

    def _talk(self) -> str:
        node = self._shared.config.node
        self._connection.settimeout(min(ARTIM_S, node.idle_timeout_s))
        reader = PDUReader(self._connection, node.max_pdu_bytes, node.idle_timeout_s)
        kind, body = reader.read()
        self._heard = True
        if kind != pdu.ASSOCIATE_RQ:
            raise ProtocolError(f"wanted A-ASSOCIATE-RQ, got type {kind:02X}H", pdu.UNEXPECTED_PDU)
        is_full = not self._admit()
        answer, result, calling = negotiate(body, self._shared.config, is_full=is_full)
        self._tally.calling_ae = calling
        self._connection.settimeout(node.idle_timeout_s)
        if isinstance(result, Refusal):
            self._tally.reason = result.sentence
            self._send(answer)
            return REFUSED
        self._agreement, self._tally.reason = result, result.reason
        self._send(answer)
        return self._serve(reader)

    def _serve(self, reader: PDUReader) -> str:
        while True:
            kind, body = reader.read()
            if kind == pdu.P_DATA:
                for value in pdu.presentation_data_values(body):
                    self._take(value)
            elif kind == pdu.RELEASE_RQ:
                self._send(pdu.RELEASE_RESPONSE)
                return RELEASED
            elif kind == pdu.ABORT:
                return ABORTED
            else:
                raise ProtocolError(f"unexpected PDU of type {kind:02X}H", pdu.UNEXPECTED_PDU)

    def _take(self, value: PresentationDataValue) -> None:
        if value.is_command:
            self._take_command(value)
        elif self._message is None or value.context_id != self._message_context:
            raise ProtocolError("a data set without its command", pdu.UNEXPECTED_PARAMETER)
        else:
            self._message.write(value.fragment)
            if value.is_last:
                self._finish()

    def _take_command(self, value: PresentationDataValue) -> None:
        context = self._agreement.contexts.get(value.context_id)
        if context is None or self._message is not None:
            raise ProtocolError("a command out of place", pdu.UNEXPECTED_PARAMETER)
        self._command += value.fragment
        if len(self._command) > MAX_COMMAND_BYTES:
            raise ProtocolError("a command set without end", pdu.INVALID_PARAMETER)
        if value.is_last:
            self._begin(value.context_id, context)

    def _begin(self, context_id: int, context: Context) -> None:
        """The command set is whole: start its message, and answer it if there is no data set."""
        try:
            request = dimse.read_request(self._command)
        except dimse.CommandError as error:
            raise ProtocolError(str(error), pdu.INVALID_PARAMETER) from error
        self._command = bytearray()
        if request.command_field == dimse.C_CANCEL_RQ:
            return  # nothing of ours can be cancelled, and it has no response (PS3.7 9.3.2.3)
        node = self._shared.config.node
        facts = ReceivedFacts(
            request.sop_class_uid,
            request.sop_instance_uid,
            context.transfer_syntax,
            self._agreement.calling_ae,
            node.ae_title,
            self.name,
        )
        self._message = message_for(
            request, context, facts, self._shared.incoming, self._shared.database
        )
        self._message_context = context_id
        if not request.has_data_set:
            self._finish()

    def _finish(self) -> None:
        message = self._message
        assert message is not None
        message.finish()
        self._message = None
        if message.status != dimse.SUCCESS:
            self._note_refusal(message)
        answer = dimse.write_response(message.request, message.status, message.comment)
        self._send(pdu.p_data(self._message_context, answer, self._agreement.max_length))
        if isinstance(message, StoreMessage) and message.identity is not None:
            self._tally.stored += 1
            self._tally.series[message.identity.series_instance_uid] += 1

    def _note_refusal(self, message: Message) -> None:
        self._tally.refused += 1
        self._shared.counters.add("refused_operations", f"{message.status:04X}")
        log.warning(
            "refused: %s",
            message.comment or "operation not recognized",
            extra={
                "action": "operation_refused",
                "status": f"{message.status:04X}H",
                "association": self.name,
                "sop_instance_uid": message.request.sop_instance_uid[:64],
            },
        )

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # reading tells that the peer is gone
            self._connection.sendall(data)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _account(self, outcome: str, seconds: float) -> None:
        """One line in the log, the totals, and the note on what came for which series."""
        tally = self._tally
        self._shared.counters.add("associations", outcome)
        log.log(
            LEVELS.get(outcome, logging.WARNING),
            "association %s%s",
            outcome.lower(),
            f": {tally.reason}" if tally.reason else "",
            extra={
                "action": "association_ended",
                "association": self.name,
                "calling_ae": tally.calling_ae,
                "address": self._address,
                "stored": tally.stored,
                "refused": tally.refused,
                "seconds": round(seconds, 3),
            },
        )
        if tally.series:
            with contextlib.suppress(OSError):  # a full disk: the quiet time will do
                self._shared.incoming.write_note(
                    self.name,
                    {
                        "association": self.name,
                        "source_ae": tally.calling_ae,
                        "outcome": NOTED.get(outcome, LOST),
                        "ended": datetime.now(UTC).isoformat(),
                        "series": dict(tally.series),
                    },
                )
