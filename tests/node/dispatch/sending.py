"""A sending of instances that keeps its end, and the peer that a real Orthanc is."""

from __future__ import annotations

from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.servers import OrthancServer


def send(
    instances: list[Outgoing], peer: PeerSettings, timeout_s: float = 10.0
) -> tuple[list[Answer], Exception | None]:
    """Send in the way of the peer: what it answered, and the error in which it ended."""
    answers: list[Answer] = []
    try:
        sender_for(peer)(instances, peer, "VSCANNER", timeout_s, answers.append)
    except (DestinationRefuses, DestinationUnavailable) as error:
        return answers, error
    return answers, None


def peer_of(orthanc: OrthancServer, way: str, **changes: object) -> PeerSettings:
    values: dict[str, object] = {
        "name": "pacs",
        "ae_title": orthanc.ae_title,
        "host": "127.0.0.1",
        "port": orthanc.dicom_port,
        "dicomweb": orthanc.dicomweb,
        "orthanc_rest": orthanc.url,
        "send_by": way,
    }
    return PeerSettings.model_validate({**values, **changes})
