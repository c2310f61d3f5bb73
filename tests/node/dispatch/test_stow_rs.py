from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from node.dispatch.stow_rs import INSTANCES_IN_ONE_REQUEST
from tests.node.dispatch.http_archive import Reply, http_archive
from tests.node.dispatch.sending import send


def said(
    stored: Sequence[Outgoing], failed: Sequence[tuple[Outgoing, int]] = (), warning: int = 0
) -> bytes:
    """A Store Instances Response (PS3.18 I.2) in DICOM JSON."""

    def item(one: Outgoing, reason: str, code: int) -> dict[str, object]:
        named = {"00081155": {"vr": "UI", "Value": [one.sop_instance_uid]}}
        return named | ({reason: {"vr": "US", "Value": [code]}} if code else {})

    kept = [item(one, "00081196", warning) for one in stored]
    lost = [item(one, "00081197", code) for one, code in failed]
    return json.dumps({"00081199": {"Value": kept}, "00081198": {"Value": lost}}).encode()


def stow(
    instances: list[Outgoing], reply: Reply
) -> tuple[list[Answer], Exception | None, list[bytes]]:
    with http_archive(reply) as archive:
        answers, error = send(instances, archive.peer("stow-rs"))
    return answers, error, archive.bodies


def test_a_long_series_goes_a_few_instances_at_a_time(instances: list[Outgoing]) -> None:
    many = instances * 4
    answers, error, bodies = stow(many, lambda _: (200, said(instances)))
    assert error is None
    assert [a.sop_instance_uid for a in answers] == [one.sop_instance_uid for one in many]
    assert [body.count(b"application/dicom") for body in bodies] == [INSTANCES_IN_ONE_REQUEST, 4]
    for one in instances:
        assert one.path.read_bytes() in bodies[0]


def test_the_request_says_what_it_is_and_what_it_wants(instances: list[Outgoing]) -> None:
    """PS3.18 10.5.1 and 8.6.1.2: a multipart of DICOM, answered in JSON."""
    with http_archive(lambda _: (200, said(instances))) as archive:
        peer = archive.peer("stow-rs")
        sender_for(peer)(instances, peer, "VSCANNER", 20, lambda _: None)
    (header,), (body,) = archive.headers, archive.bodies
    assert header.get_content_type() == "multipart/related"
    assert header.get_param("type") == "application/dicom"
    assert body.startswith(f"--{header.get_param('boundary')}\r\n".encode())
    assert header["Accept"] == "application/dicom+json"


def test_a_warning_is_kept(instances: list[Outgoing]) -> None:
    answers, error, _ = stow(instances, lambda _: (202, said(instances, warning=0xB000)))
    assert error is None
    assert {(a.kept, a.code) for a in answers} == {(True, 0xB000)}


def test_one_refused_instance_does_not_stop_the_others(instances: list[Outgoing]) -> None:
    bad, *others = instances
    answers, error, _ = stow(instances, lambda _: (202, said(others, [(bad, 0xC000)])))
    assert isinstance(error, DestinationRefuses)
    assert "refused 1 of 6 instances for good" in str(error)
    assert [a.kept for a in answers] == [False] + [True] * 5
    assert not any(a.again for a in answers)


@pytest.mark.parametrize("named", [True, False])
def test_what_failed_for_now_or_is_not_named_may_be_sent_later(
    instances: list[Outgoing], named: bool
) -> None:
    first, *others = instances
    failed = [(first, 0xA700)] if named else []
    answers, error, _ = stow(instances, lambda _: (202, said(others, failed)))
    assert isinstance(error, DestinationUnavailable)
    (answer,) = answers
    assert (answer.kept, answer.again, answer.code) == (False, True, 0xA700 if named else 0x0110)


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (401, b"<html>", DestinationRefuses),
        (409, b"{}", DestinationRefuses),
        (503, b"<html>", DestinationUnavailable),
        (200, b"<html>a log-in page", DestinationUnavailable),
        (200, b"[]", DestinationUnavailable),
    ],
)
def test_an_answer_that_names_no_instance_is_no_success(
    instances: list[Outgoing], status: int, body: bytes, wanted: type[Exception]
) -> None:
    answers, error, _ = stow(instances, lambda _: (status, body))
    assert (answers, type(error)) == ([], wanted)
    assert f"HTTP status {status}" in str(error)
