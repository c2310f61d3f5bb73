"""A series by Orthanc's REST interface: POST /instances, one file a request."""

from __future__ import annotations

from collections.abc import Sequence

import requests

from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.http import answering
from node.dispatch.outgoing import Answer, OnAnswer, Outgoing
from node.dispatch.statuses import Meaning, http_meaning


def send(
    instances: Sequence[Outgoing],
    peer: PeerSettings,
    ae_title: str,
    timeout_s: float,
    on_answer: OnAnswer,
) -> None:
    """Send instances to the peer's Orthanc; arguments and errors as `c_store.send`."""
    refused = 0
    with answering(peer) as session:
        for instance in instances:
            code = _post(session, instance, peer, timeout_s)
            meaning = http_meaning(code)
            kept, again = meaning is Meaning.KEPT, meaning is Meaning.AGAIN
            on_answer(Answer(instance.sop_instance_uid, code, kept, again))
            if again:
                raise DestinationUnavailable(f"{peer.name} answered with HTTP status {code}.")
            if code in (401, 403):
                raise DestinationRefuses(
                    f"{peer.name} refuses our user name or password (HTTP status {code})."
                )
            refused += not kept
    if refused:
        raise DestinationRefuses(
            f"{peer.name} refused {refused} of {len(instances)} instances for good."
        )


def _post(
    session: requests.Session, instance: Outgoing, peer: PeerSettings, timeout_s: float
) -> int:
    return session.post(
        f"{(peer.orthanc_rest or '').rstrip('/')}/instances",
        data=instance.path.read_bytes(),
        headers={"Content-Type": "application/dicom"},
        timeout=timeout_s,
    ).status_code
