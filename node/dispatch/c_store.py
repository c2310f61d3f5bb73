"""A series by C-STORE: one association, a status for every instance (PS3.4 annex B)."""

from __future__ import annotations

from collections.abc import Sequence

from node.config import PeerSettings
from node.dispatch.associate import tls_context
from node.dispatch.association import Address, StorageAssociation
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, OnAnswer, Outgoing, contexts_of
from node.dispatch.statuses import Meaning, c_store_meaning

NO_CONTEXT = 0x0122
"""Our own note for an instance whose presentation context was rejected: SOP class not supported."""


def send(
    instances: Sequence[Outgoing],
    peer: PeerSettings,
    ae_title: str,
    timeout_s: float,
    on_answer: OnAnswer,
) -> None:
    """Send instances over one association.

    An instance that the peer will never take does not keep the others from being sent.

    Args:
        instances: what is to go, in this order.
        peer: where to.
        ae_title: what we call ourselves.
        timeout_s: how long the peer may take for any one answer.
        on_answer: called after each status.

    Raises:
        DestinationUnavailable: the peer is down, slow, aborts or has no room.
        DestinationRefuses: the peer rejects us, or at least one instance for good.
    """
    refused: list[Answer] = []
    with StorageAssociation(_address(peer), ae_title, contexts_of(instances), timeout_s) as open_:
        for instance in instances:
            code = open_.store(instance) if open_.accepts(instance) else NO_CONTEXT
            meaning, name = c_store_meaning(code)
            answer = Answer(
                instance.sop_instance_uid, code, meaning is Meaning.KEPT, meaning is Meaning.AGAIN
            )
            on_answer(answer)
            if meaning is Meaning.AGAIN:
                raise DestinationUnavailable(
                    f"{peer.name} cannot take instances now: status {code:04X}H, {name}."
                )
            if meaning is Meaning.NEVER:
                refused.append(answer)
    if refused:
        raise DestinationRefuses(_sentence(peer.name, refused, len(instances)))


def _sentence(name: str, refused: Sequence[Answer], count: int) -> str:
    codes = sorted({answer.code for answer in refused})
    reasons = ", ".join(f"{code:04X}H {c_store_meaning(code)[1]}" for code in codes)
    return f"{name} refused {len(refused)} of {count} instances for good: {reasons}."


def _address(peer: PeerSettings) -> Address:
    context = tls_context(peer.tls) if peer.tls is not None else None
    return Address(peer.host, peer.port, peer.ae_title, context)
