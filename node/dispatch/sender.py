"""Which way a peer wants its derived objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from node.config import PeerSettings
from node.dispatch import c_store, orthanc_rest, stow_rs
from node.dispatch.errors import DestinationRefuses
from node.dispatch.outgoing import OnAnswer, Outgoing

Send: TypeAlias = Callable[[Sequence[Outgoing], PeerSettings, str, float, OnAnswer], None]

WAYS: Mapping[str, Send] = {
    "c-store": c_store.send,
    "stow-rs": stow_rs.send,
    "orthanc-rest": orthanc_rest.send,
}
"""`send_by` of a peer's settings to the function that does it."""


def sender_for(peer: PeerSettings) -> Send:
    """The function that sends to this peer.

    Raises:
        DestinationRefuses: the peer's settings lack the address that this way needs.
    """
    needed = {
        "stow-rs": ("dicomweb", peer.dicomweb),
        "orthanc-rest": ("orthanc_rest", peer.orthanc_rest),
    }
    key, url = needed.get(peer.send_by, ("", "-"))
    if not url:
        raise DestinationRefuses(
            f"Peer {peer.name} is to be sent to by {peer.send_by}, which needs its {key!r} "
            "address; add it to the configuration."
        )
    return WAYS[peer.send_by]
