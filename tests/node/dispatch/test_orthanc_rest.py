from __future__ import annotations

import pytest

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Outgoing
from tests.node.dispatch.http_archive import http_archive
from tests.node.dispatch.sending import send


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
    with http_archive(lambda _: (status, b"")) as archive:
        answers, error = send(instances, archive.peer("orthanc-rest"))
    assert type(error) is wanted
    assert ("6 of 6" if asked == 6 else f"HTTP status {status}") in str(error)
    assert archive.bodies == [one.path.read_bytes() for one in instances[:asked]]
    assert {(a.kept, a.code, a.again) for a in answers} == {(False, status, again)}
