"""A series by C-STORE: a status for every instance (PS3.4 annex B).

One association a series, unless the peer's settings allow several: a PACS that stores each
instance before it answers is then asked for more than one at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pydicom.uid import ImplicitVRLittleEndian

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
    waiting = deque(one.taken_in(peer.transfer_syntaxes) for one in instances)
    count = max(1, min(peer.associations, len(instances)))
    sending = _Sending(peer, ae_title, timeout_s, on_answer, waiting)
    first = sending.open()
    with ThreadPoolExecutor(peer.associations, "association") as threads:
        others = [threads.submit(sending.help) for _ in range(count - 1)]
        sending.send(first)
    for other in others:
        other.result()
    if sending.refused:
        raise DestinationRefuses(_sentence(peer.name, sending.refused, len(instances)))


@dataclass(eq=False)
class _Sending:
    """What the associations of one series share.

    Attributes:
        waiting: instances that no association has taken up yet.
        refused: answers that say never.
        stopped: one association has failed: the others end after the instance under way.
    """

    peer: PeerSettings
    ae_title: str
    timeout_s: float
    on_answer: OnAnswer
    waiting: deque[Outgoing]
    refused: list[Answer] = field(default_factory=list)
    stopped: bool = False
    _contexts: list[tuple[str, str]] = field(init=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # PS3.5 10.1: the default transfer syntax is offered for each SOP class.
        self._contexts = contexts_of([*self.waiting, *map(_in_default_syntax, self.waiting)])

    def open(self) -> StorageAssociation:
        """Open an association for all that waits."""
        return StorageAssociation(
            _address(self.peer), self.ae_title, self._contexts, self.timeout_s
        )

    def help(self) -> None:
        """Send over a further association, where the peer has room for it."""
        try:
            opened = self.open()
        except (DestinationRefuses, DestinationUnavailable):
            return
        self.send(opened)

    def send(self, opened: StorageAssociation) -> None:
        """Send what waits, instance by instance."""
        try:
            with opened:
                for instance in iter(self._next, None):
                    self._take(instance, self._store(instance, opened))
        except BaseException:  # not handled, only told to the others
            self.stopped = True
            raise

    def _next(self) -> Outgoing | None:
        with self._one_at_a_time:
            return None if self.stopped or not self.waiting else self.waiting.popleft()

    def _store(self, instance: Outgoing, opened: StorageAssociation) -> int:
        """In the transfer syntax that was asked for, else in the default one."""
        for one in (instance, _in_default_syntax(instance)):
            if opened.accepts(one):
                return opened.store(one)
        return NO_CONTEXT

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


def _in_default_syntax(instance: Outgoing) -> Outgoing:
    return instance.taken_in([ImplicitVRLittleEndian])


def _sentence(name: str, refused: Sequence[Answer], count: int) -> str:
    codes = sorted({answer.code for answer in refused})
    reasons = ", ".join(f"{code:04X}H {c_store_meaning(code)[1]}" for code in codes)
    return f"{name} refused {len(refused)} of {count} instances for good: {reasons}."


def _address(peer: PeerSettings) -> Address:
    context = tls_context(peer.tls) if peer.tls is not None else None
    return Address(peer.name, peer.host, peer.port, peer.ae_title, context)
