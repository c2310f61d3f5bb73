"""An association for small questions (commitment, C-FIND), by pynetdicom."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom import build_role, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_profiles.storage import ACCEPTED_TRANSFER_SYNTAXES
from node.config import Config, PeerSettings, TLSSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable, ServiceNotOffered


@dataclass(frozen=True)
class Storage:
    """What a peer may send us on an association that we opened (PS3.4 C.4.3, C-GET).

    Attributes:
        sop_classes: storage classes that we take.
        take: gets each C-STORE request and gives its status.
    """

    sop_classes: Sequence[str]
    take: Callable[[evt.Event], int]


TRANSIENT_REJECTION = 2  # PS3.8 table 9-21, Result


def tls_context(settings: TLSSettings) -> ssl.SSLContext:
    """Mutual authentication by certificate (PS3.15 B.12), whatever name the host has."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(settings.ca))
    context.check_hostname = False
    context.load_cert_chain(settings.certificate, settings.key)
    return context


@contextlib.contextmanager
def associated(
    peer: PeerSettings, config: Config, sop_classes: Sequence[str], stored: Storage | None = None
) -> Iterator[Association]:
    """An association with a peer; released afterwards, aborted after an error.

    Args:
        peer: whom to call.
        config: says who we are.
        sop_classes: of the services that we use.
        stored: what the peer may send us on this association (C-GET), and who takes it.

    Raises:
        DestinationUnavailable: nobody answers, or the peer is closed for now.
        DestinationRefuses: the peer rejects us for good.
        ServiceNotOffered: it knows none of the SOP classes.
    """
    received = stored.sop_classes if stored else ()
    entity = _entity(config, sop_classes, received)
    tls = (tls_context(peer.tls), peer.host) if peer.tls else None
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.ae_title,
            ext_neg=[build_role(sop_class, scp_role=True) for sop_class in received],
            evt_handlers=[(evt.EVT_C_STORE, stored.take)] if stored else [],
            tls_args=tls,
        )
    except OSError as error:  # its name has no address now
        raise _not_reached(peer, f" ({error.strerror})") from error
    if not association.is_established:
        raise _why_not(association, peer)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def _entity(config: Config, used: Sequence[str], received: Sequence[str]) -> ApplicationEntity:
    """We, who call: our names, how long we wait, the SOP classes that we use and those we take."""
    entity = ApplicationEntity(config.node.ae_title)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.acse_timeout = entity.dimse_timeout = config.jobs.answer_timeout_s
    entity.connection_timeout = entity.network_timeout = config.jobs.answer_timeout_s
    for sop_class in used:
        entity.add_requested_context(sop_class)
    for sop_class in received:
        entity.add_requested_context(sop_class, list(ACCEPTED_TRANSFER_SYNTAXES))
    return entity


def _why_not(
    association: Association, peer: PeerSettings
) -> DestinationRefuses | DestinationUnavailable:
    if association.is_rejected:
        answer = association.acceptor.primitive
        sentence = (
            f"{peer.name} rejects the association; it has to know our AE title, address and port."
        )
        if answer is not None and answer.result != TRANSIENT_REJECTION:
            return DestinationRefuses(sentence)
        return DestinationUnavailable(sentence)
    if association.rejected_contexts:
        return ServiceNotOffered(f"{peer.name} does not offer the service that was asked for.")
    return _not_reached(peer)


def _not_reached(peer: PeerSettings, why: str = "") -> DestinationUnavailable:
    return DestinationUnavailable(
        f"{peer.name} cannot be reached at {peer.host}:{peer.port}{why}; is it running?"
    )
