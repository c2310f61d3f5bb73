from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from node.config import Config, NodeSettings
from node.dispatch.holdings import Expected, missing
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.node.dispatch.sending import peer_of
from tests.servers import OrthancServer

pytestmark = pytest.mark.orthanc
WAYS = ["c-store", "stow-rs", "orthanc-rest"]


def ids(path: Path) -> tuple[str, str]:
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)


@pytest.mark.parametrize("way", WAYS)
def test_send_and_ask_back(
    orthanc: OrthancServer, instances: list[Outgoing], tmp_path: Path, way: str
) -> None:
    peer, answers = peer_of(orthanc, way), list[Answer]()
    config = Config(node=NodeSettings(data_dir=tmp_path))
    study, series = ids(instances[0].path)
    uids = [one.sop_instance_uid for one in instances]
    expected = [Expected(study, series, uids)]
    assert missing(expected, peer, config) == set(uids)
    sender_for(peer)(instances[:-1], peer, "VSCANNER", 20, answers.append)
    assert [a.sop_instance_uid for a in answers] == uids[:-1]
    assert all(a.kept for a in answers)
    assert missing(expected, peer, config) == {uids[-1]}
    sender_for(peer)(instances, peer, "VSCANNER", 20, answers.append)  # again: kept as it is
    assert missing(expected, peer, config) == set()
    assert len(orthanc.instances_of(series)) == len(uids)
