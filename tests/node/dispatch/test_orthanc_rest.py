from __future__ import annotations

import pytest

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.node.dispatch.sending import peer_of
from tests.servers import OrthancServer

pytestmark = pytest.mark.orthanc


def test_what_is_no_dicom_is_refused_for_good(
    orthanc: OrthancServer, instances: list[Outgoing]
) -> None:
    bad = instances[3].path
    bad.write_bytes(b"no DICOM at all")
    peer, answers = peer_of(orthanc, "orthanc-rest"), list[Answer]()
    with pytest.raises((DestinationRefuses, DestinationUnavailable)):
        sender_for(peer)(instances, peer, "VSCANNER", 20, answers.append)
    assert sum(a.kept for a in answers) >= 3
