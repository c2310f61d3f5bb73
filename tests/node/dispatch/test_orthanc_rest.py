from __future__ import annotations

import pytest

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.node.dispatch.http_archive import http_archive
from tests.node.dispatch.sending import peer_of
from tests.servers import OrthancServer


@pytest.mark.parametrize(
    ("status", "wanted", "asked", "again"),
    [
        (400, DestinationRefuses, 6, False),  # each for itself
        (401, DestinationRefuses, 1, False),  # none of them
        (403, DestinationRefuses, 1, False),
        (503, DestinationUnavailable, 1, True),
        (507, DestinationUnavailable, 1, True),
    ],
)
def test_what_a_failure_means_for_the_others(
    instances: list[Outgoing], status: int, wanted: type[Exception], asked: int, again: bool
) -> None:
    answers: list[Answer] = []
    with http_archive(lambda _: (status, b"")) as archive:
        peer = archive.peer("orthanc-rest")
        with pytest.raises(wanted, match="6 of 6" if asked == 6 else f"HTTP status {status}"):
            sender_for(peer)(instances, peer, "VSCANNER", 20, answers.append)
        assert archive.bodies == [one.path.read_bytes() for one in instances[:asked]]
    assert {(a.kept, a.code, a.again) for a in answers} == {(False, status, again)}


@pytest.mark.orthanc
def test_what_is_no_dicom_is_refused_for_good(
    orthanc: OrthancServer, instances: list[Outgoing]
) -> None:
    bad = instances[3].path
    bad.write_bytes(b"no DICOM at all")
    peer, answers = peer_of(orthanc, "orthanc-rest"), list[Answer]()
    with pytest.raises((DestinationRefuses, DestinationUnavailable)):
        sender_for(peer)(instances, peer, "VSCANNER", 20, answers.append)
    assert sum(a.kept for a in answers) >= 3
