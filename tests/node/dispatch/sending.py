"""Phantom instances on disk, and a C-STORE of them that keeps its end."""

from __future__ import annotations

from node.config import PeerSettings
from node.dispatch import c_store
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from tests.servers import OrthancServer


def send(
    instances: list[Outgoing], peer: PeerSettings, timeout_s: float = 10.0
) -> tuple[list[Answer], Exception | None]:
    answers: list[Answer] = []
    try:
        c_store.send(instances, peer, "VSCANNER", timeout_s, answers.append)
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
