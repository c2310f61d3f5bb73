"""A series by STOW-RS (PS3.18 10.5): multipart/related, a few instances a request."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.http import answering
from node.dispatch.outgoing import Answer, OnAnswer, Outgoing
from node.dispatch.statuses import Meaning, c_store_meaning, http_meaning

INSTANCES_IN_ONE_REQUEST = 20
"""Few enough that a request stays small and a broken one costs little."""

SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110
DICOM_JSON = "application/dicom+json"


def send(
    instances: Sequence[Outgoing],
    peer: PeerSettings,
    ae_title: str,
    timeout_s: float,
    on_answer: OnAnswer,
) -> None:
    """Send instances to the peer's DICOMweb service; arguments and errors as `c_store.send`."""
    refused = 0
    with answering(peer) as session:
        for start in range(0, len(instances), INSTANCES_IN_ONE_REQUEST):
            some = instances[start : start + INSTANCES_IN_ONE_REQUEST]
            for answer in _answers(session, some, peer, timeout_s):
                on_answer(answer)
                if answer.again:
                    raise DestinationUnavailable(
                        f"{peer.name} cannot take instances now: failure {answer.code:04X}H."
                    )
                refused += not answer.kept
    if refused:
        raise DestinationRefuses(
            f"{peer.name} refused {refused} of {len(instances)} instances for good by STOW-RS."
        )


def _answers(
    session: requests.Session, instances: Sequence[Outgoing], peer: PeerSettings, timeout_s: float
) -> Iterator[Answer]:
    """One request, and what its Store Instances Response says of each instance (PS3.18 I.2)."""
    response = _post(session, instances, peer, timeout_s)
    stored, failed = _sequences(response)
    if not stored and not failed:
        _raise_for(response, peer)
    for instance in instances:
        uid = instance.sop_instance_uid
        if uid in stored:
            yield Answer(uid, stored[uid], kept=True)
            continue
        code = failed.get(uid, PROCESSING_FAILURE)
        meaning, _ = c_store_meaning(code)
        yield Answer(uid, code, meaning is Meaning.KEPT, meaning is Meaning.AGAIN)


def _post(
    session: requests.Session, instances: Sequence[Outgoing], peer: PeerSettings, timeout_s: float
) -> requests.Response:
    boundary = f"vscanner-{uuid.uuid4().hex}"
    return session.post(
        f"{(peer.dicomweb or '').rstrip('/')}/studies",
        data=_multipart(instances, boundary),
        headers={
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": DICOM_JSON,
        },
        timeout=timeout_s,
    )


def _multipart(instances: Sequence[Outgoing], boundary: str) -> bytes:
    """Part 10 files as one multipart/related body (RFC 2387)."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    parts = [head + instance.path.read_bytes() + b"\r\n" for instance in instances]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _sequences(response: requests.Response) -> tuple[dict[str, int], dict[str, int]]:
    """Referenced and Failed SOP Sequence: SOP Instance UID to warning or failure reason."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}, {}
    if not isinstance(body, Mapping):
        return {}, {}
    stored = _reasons(body, "00081199", "00081196", SUCCESS)  # Warning Reason
    failed = _reasons(body, "00081198", "00081197", PROCESSING_FAILURE)  # Failure Reason
    return stored, failed


def _reasons(body: Mapping[str, Any], sequence: str, reason: str, default: int) -> dict[str, int]:
    """SOP Instance UID to reason, of the items of a sequence in DICOM JSON (PS3.18 F.2)."""
    items = body.get(sequence, {}).get("Value", [])
    return {
        str(item["00081155"]["Value"][0]): int(item.get(reason, {}).get("Value", [default])[0])
        for item in items
        if item.get("00081155", {}).get("Value")
    }


def _raise_for(response: requests.Response, peer: PeerSettings) -> None:
    """An answer that says nothing about instances: judge it by its HTTP status."""
    sentence = f"{peer.name} answered STOW-RS with HTTP status {response.status_code}."
    if http_meaning(response.status_code) is Meaning.NEVER:
        raise DestinationRefuses(sentence)
    raise DestinationUnavailable(sentence)
