"""A real storage SCP on loopback that misbehaves as a test wants."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    CTImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)

from node.config import PeerSettings

STORED = (CTImageStorage, Comprehensive3DSRStorage, GrayscaleSoftcopyPresentationStateStorage)

Answer = Callable[[int, evt.Event], int | None]
"""(how many came before, the request) to a status; None aborts the association."""


@dataclass
class StorageSCP:
    """What came in, by SOP Instance UID, how often somebody asked, and what callers run."""

    port: int = 0
    stored: dict[str, bytes] = field(default_factory=dict)
    requests: int = 0
    associations: int = 0
    implementations: set[tuple[str, str]] = field(default_factory=set)
    pdu_bytes: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def peer(self, **settings: object) -> PeerSettings:
        values = {"name": "pacs", "ae_title": "ODD", "host": "127.0.0.1", "port": self.port}
        return PeerSettings.model_validate({**values, **settings})


def always_success(_count: int, _event: evt.Event) -> int:
    return 0x0000


@contextlib.contextmanager
def storage_scp(
    answer: Answer = always_success,
    syntaxes: tuple[str, ...] = ("1.2.840.10008.1.2.1",),
    require_calling: str = "",
    port: int = 0,
    associations: int = 10,
    max_pdu_bytes: int = 16382,
) -> Iterator[StorageSCP]:
    """Run the SCP on that port, or a free one; it has so many associations at a time.

    Args:
        max_pdu_bytes: what it announces (PS3.8 D.1), without the six bytes before; 0 is no limit.
    """
    scp = StorageSCP()

    def handle_store(event: evt.Event) -> int:
        with scp.lock:
            count = scp.requests
            scp.requests += 1
        status = answer(count, event)
        if status is None:
            event.assoc.abort()
            return 0xC000
        if status == 0 or status >> 12 == 0xB:
            uid = str(event.file_meta.MediaStorageSOPInstanceUID)
            scp.stored[uid] = event.encoded_dataset(include_meta=False)
        return status

    def handle_established(event: evt.Event) -> None:
        scp.associations += 1
        caller = event.assoc.requestor
        scp.implementations.add(
            (str(caller.implementation_class_uid), str(caller.implementation_version_name))
        )

    def handle_data(event: evt.Event) -> None:
        scp.pdu_bytes.append(len(event.data))

    entity = AE("ODD")
    entity.maximum_pdu_size = max_pdu_bytes
    entity.maximum_associations = associations
    for sop_class in STORED:
        entity.add_supported_context(sop_class, list(syntaxes))
    if require_calling:
        entity.require_calling_aet = [require_calling]
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_C_STORE, handle_store),
        (evt.EVT_ESTABLISHED, handle_established),
        (evt.EVT_DATA_RECV, handle_data),
    ]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    scp.port = server.server_address[1]
    try:
        yield scp
    finally:
        server.shutdown()
