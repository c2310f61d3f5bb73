"""Who may associate with us, and for what: A-ASSOCIATE-RQ to -AC or -RJ (PS3.8 7.1, PS3.7 annex D).

pynetdicom reads and writes the PDUs and matches the presentation contexts; the policy is here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import (
    PresentationContext,
    build_context,
    negotiate_as_acceptor,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    Verification,
)

from dicom_profiles.storage import ACCEPTED_TRANSFER_SYNTAXES, STORAGE_CLASSES
from node.config import Config
from node.receiving.pdu import ASSOCIATE_RQ, INVALID_PARAMETER, ProtocolError
from node.user_information import our_information

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
MOST_NAMED = 3  # syntaxes in a sentence for the log

# What pynetdicom raises for a PDU that it cannot read.
UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True)
class Refusal:
    """Why an association is rejected: a row of PS3.8 table 9-21."""

    result: int
    source: int
    diagnostic: int
    sentence: str


CONTEXT_NAME_UNKNOWN = Refusal(1, 1, 2, "application context name not supported")
CALLING_AE_UNKNOWN = Refusal(1, 1, 3, "calling AE title not recognized")
CALLED_AE_UNKNOWN = Refusal(1, 1, 7, "called AE title not recognized")
PROTOCOL_UNKNOWN = Refusal(1, 2, 2, "protocol version not supported")
TOO_MANY = Refusal(2, 3, 2, "local limit exceeded")


@dataclass(frozen=True)
class Context:
    """An accepted presentation context."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True)
class Agreement:
    """What was negotiated for an association.

    Attributes:
        calling_ae: AE title of the peer.
        contexts: accepted ones by their id.
        max_length: largest P-DATA-TF that the peer takes, 0 for any.
        reason: why there is no context, where there is none.
    """

    calling_ae: str
    contexts: Mapping[int, Context]
    max_length: int
    reason: str = ""


def negotiate(
    body: memoryview, config: Config, *, is_full: bool = False
) -> tuple[bytes, Agreement | Refusal, str]:
    """Answer an A-ASSOCIATE-RQ.

    Args:
        body: of the PDU, without its six bytes of header.
        config: who we are and who may call.
        is_full: no further association can be taken now.

    Returns:
        The PDU to send, what it says, and the calling AE title.

    Raises:
        ProtocolError: the request cannot be read.
    """
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(struct.pack(">BxL", ASSOCIATE_RQ, len(body)) + bytes(body))
        request = pdu.to_primitive()
        refusal = _refusal(request, config, is_full)
        if not pdu.protocol_version & 1:  # PS3.8 9.3.2: bit 0
            refusal = PROTOCOL_UNKNOWN
        calling = str(request.calling_ae_title).strip()
        if refusal:
            return _reject(refusal), refusal, calling
        reply, agreement = _accept(request, config)
    except UNREADABLE as error:
        raise ProtocolError("the A-ASSOCIATE-RQ cannot be read", INVALID_PARAMETER) from error
    return reply, agreement, calling


@lru_cache(maxsize=1)
def supported_contexts() -> tuple[PresentationContext, ...]:
    """Everything that the receiver accepts; the conformance statement is made from it."""
    every: list[str | UID] = list(ACCEPTED_TRANSFER_SYNTAXES)
    basic: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    storage = [build_context(uid, every) for uid in STORAGE_CLASSES]
    echo = build_context(Verification, basic)
    report = build_context(StorageCommitmentPushModel, basic)
    report.scu_role, report.scp_role = False, True  # the peer is the SCP that reports to us
    step = build_context(ModalityPerformedProcedureStep, basic)
    return (echo, report, step, *storage)


def _refusal(request: A_ASSOCIATE, config: Config, is_full: bool) -> Refusal | None:
    peer = config.peer_by_ae_title(str(request.calling_ae_title))
    if request.application_context_name != APPLICATION_CONTEXT:
        return CONTEXT_NAME_UNKNOWN
    if str(request.called_ae_title).strip() != config.node.ae_title.strip():
        return CALLED_AE_UNKNOWN
    if peer is None or not peer.may_call:
        return CALLING_AE_UNKNOWN
    return TOO_MANY if is_full else None


def _accept(request: A_ASSOCIATE, config: Config) -> tuple[bytes, Agreement]:
    roles = {
        item.sop_class_uid or UID(""): (item.scu_role, item.scp_role)
        for item in request.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    results, role_items = negotiate_as_acceptor(
        request.presentation_context_definition_list, list(supported_contexts()), roles
    )
    answer = A_ASSOCIATE()
    answer.application_context_name = APPLICATION_CONTEXT
    answer.calling_ae_title = request.calling_ae_title
    answer.called_ae_title = request.called_ae_title
    answer.result, answer.result_source = 0, 1
    answer.presentation_context_definition_results_list = results
    answer.user_information = [*our_information(config.node.max_pdu_bytes), *role_items]
    contexts = {
        int(found.context_id or 0): Context(
            str(found.abstract_syntax), str(found.transfer_syntax[0])
        )
        for found in results
        if found.result == 0
    }
    calling = str(request.calling_ae_title).strip()
    reason = "" if contexts else _nothing_accepted(request.presentation_context_definition_list)
    agreement = Agreement(calling, contexts, int(request.maximum_length_received or 0), reason)
    return A_ASSOCIATE_AC(answer).encode(), agreement


def _nothing_accepted(proposed: Sequence[PresentationContext]) -> str:
    """For the log: else nobody could tell why such an association ends without an image."""
    first = [
        f"{UID(str(one.abstract_syntax)).name} in "
        + " or ".join(UID(syntax).name for syntax in one.transfer_syntax[:MOST_NAMED])
        for one in proposed[:MOST_NAMED]
    ]
    more = f" and {len(proposed) - MOST_NAMED} more" if len(proposed) > MOST_NAMED else ""
    return f"no presentation context accepted of {', '.join(first)}{more}"


def _reject(refusal: Refusal) -> bytes:
    answer = A_ASSOCIATE()
    answer.result, answer.result_source = refusal.result, refusal.source
    answer.diagnostic = refusal.diagnostic
    return bytes(A_ASSOCIATE_RJ(answer).encode())
