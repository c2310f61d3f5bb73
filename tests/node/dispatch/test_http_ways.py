from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from node.config import Config, NodeSettings, PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.holdings import Expected, missing
from node.dispatch.outgoing import Answer, Outgoing, read_outgoing
from node.dispatch.sender import sender_for
from tests.servers import OrthancServer, free_port, run_orthanc
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc
WAYS = ["c-store", "stow-rs", "orthanc-rest"]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


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


@pytest.fixture
def instances(tmp_path: Path) -> list[Outgoing]:
    return [read_outgoing(path) for path in write_ct_series(tmp_path / "ct", slices=25)]


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


@pytest.mark.parametrize("way", WAYS[1:])
def test_what_is_no_dicom_is_refused_for_good(
    orthanc: OrthancServer, instances: list[Outgoing], way: str
) -> None:
    bad = instances[3].path
    bad.write_bytes(b"no DICOM at all")
    peer, answers = peer_of(orthanc, way), list[Answer]()
    with pytest.raises((DestinationRefuses, DestinationUnavailable)):
        sender_for(peer)(instances[:6], peer, "VSCANNER", 20, answers.append)
    assert sum(a.kept for a in answers) >= 3


@pytest.mark.parametrize("way", WAYS)
def test_nobody_there(orthanc: OrthancServer, instances: list[Outgoing], way: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    peer = peer_of(orthanc, way, port=port, dicomweb=url, orthanc_rest=url)
    with pytest.raises(DestinationUnavailable):
        sender_for(peer)(instances, peer, "VSCANNER", 5, lambda _answer: None)


@pytest.mark.parametrize("way", WAYS[1:])
def test_missing_address_is_named(orthanc: OrthancServer, way: str) -> None:
    peer = peer_of(orthanc, way, dicomweb=None, orthanc_rest=None)
    with pytest.raises(DestinationRefuses, match="add it to the configuration"):
        sender_for(peer)


@pytest.mark.parametrize("way", WAYS[1:])
def test_environment_does_not_redirect(
    orthanc: OrthancServer,
    instances: list[Outgoing],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    peer, answers = peer_of(orthanc, way), list[Answer]()
    sender_for(peer)(instances[:2], peer, "VSCANNER", 20, answers.append)
    assert all(a.kept for a in answers)
