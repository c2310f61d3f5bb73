"""A series by C-STORE: a status for every instance (PS3.4 annex B).

One association a series, unless the peer's settings allow several: a PACS that stores each
instance before it answers is then asked for more than one at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

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
    """Send instances over one association, or over as many as the peer's settings allow.

    An instance that the peer will never take does not keep the others from being sent.

    Args:
        instances: what is to go, in this order.
        peer: where to.
        ae_title: what we call ourselves.
        timeout_s: how long the peer may take for any one answer.
        on_answer: called after each status, one at a time.

    Raises:
        DestinationUnavailable: the peer is down, slow, aborts or has no room.
        DestinationRefuses: the peer rejects us, or at least one instance for good.
    """
    instances = [one.taken_in(peer.transfer_syntaxes) for one in instances]
    count = max(1, min(peer.associations, len(instances)))
    sending = _Sending(peer, ae_title, timeout_s, on_answer)
    if count == 1:
        sending.send(instances)
    else:
        with ThreadPoolExecutor(count, "association") as threads:
            parts = [threads.submit(sending.send, instances[k::count]) for k in range(count)]
        for part in parts:
            part.result()
    if sending.refused:
        raise DestinationRefuses(_sentence(peer.name, sending.refused, len(instances)))


@dataclass(eq=False)
class _Sending:
    """What the associations of one series share.

    Attributes:
        refused: answers that say never.
        stopped: one association has failed: the others end after the instance under way.
    """

    peer: PeerSettings
    ae_title: str
    timeout_s: float
    on_answer: OnAnswer
    refused: list[Answer] = field(default_factory=list)
    stopped: bool = False
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def send(self, instances: Sequence[Outgoing]) -> None:
        """Send some of the instances over an association of their own."""
        address, contexts = _address(self.peer), contexts_of(instances)
        try:
            with StorageAssociation(address, self.ae_title, contexts, self.timeout_s) as open_:
                for instance in instances:
                    if self.stopped:
                        return
                    self._take(instance, self._store(instance, open_))
        except BaseException:  # not handled, only told to the others
            self.stopped = True
            raise

    def _store(self, instance: Outgoing, open_: StorageAssociation) -> int:
        return open_.store(instance) if open_.accepts(instance) else NO_CONTEXT

    def _take(self, instance: Outgoing, code: int) -> None:
        """Hand on what the peer answered; stop where it cannot take more now."""
        meaning, name = c_store_meaning(code)
        answer = Answer(
            instance.sop_instance_uid, code, meaning is Meaning.KEPT, meaning is Meaning.AGAIN
        )
        with self._one_at_a_time:
            self.on_answer(answer)
            if meaning is Meaning.NEVER:
                self.refused.append(answer)
        if meaning is Meaning.AGAIN:
            raise DestinationUnavailable(
                f"{self.peer.name} cannot take instances now: status {code:04X}H, {name}."
            )


def _sentence(name: str, refused: Sequence[Answer], count: int) -> str:
    codes = sorted({answer.code for answer in refused})
    reasons = ", ".join(f"{code:04X}H {c_store_meaning(code)[1]}" for code in codes)
    return f"{name} refused {len(refused)} of {count} instances for good: {reasons}."


def _address(peer: PeerSettings) -> Address:
    context = tls_context(peer.tls) if peer.tls is not None else None
    return Address(peer.name, peer.host, peer.port, peer.ae_title, context)
