from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import requests

from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, InstancesLost
from node.dispatch.ledger import DeliveryStatus
from node.jobs.ledger import Job
from node.steps.folder import JobFolder, WrittenSeries
from node.working.delivery import Delivery
from tests.node.job_node import JobNode, job_node
from tests.servers import OrthancServer, run_orthanc
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def node(orthanc: OrthancServer, tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, orthanc) as made:
        yield made


def delivery_by(node: JobNode, orthanc: OrthancServer, way: str, **changes: object) -> Delivery:
    """A delivery whose peer is reached that way; commitment is not asked for."""
    (peer,) = node.config.peers
    settings = {
        "send_by": way,
        "dicomweb": orthanc.dicomweb,
        "orthanc_rest": orthanc.url,
        "storage_commitment": False,
        **changes,
    }
    other = PeerSettings.model_validate({**peer.model_dump(), **settings})
    return Delivery(node.config.model_copy(update={"peers": (other,)}), node.database)


def written(node: JobNode, job: Job) -> JobFolder:
    """A job's folder with something to send: its series, as if it were derived."""

    paths = write_ct_series(node.folder / "derived", slices=6, study_uid=job.study_instance_uid)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    folder = JobFolder(node.folder)
    uids = tuple(str(header.SOPInstanceUID) for header in headers)
    folder.set_written([WrittenSeries(headers[0].SeriesInstanceUID, "DEN", tuple(paths), uids)])
    return folder


@pytest.mark.parametrize("way", ["c-store", "stow-rs", "orthanc-rest"])
def test_dispatch_and_confirm(node: JobNode, orthanc: OrthancServer, way: str) -> None:
    job = node.make_job(4)
    folder, delivery = written(node, job), delivery_by(node, orthanc, way)
    delivery.dispatch(job, folder, "pacs", lambda: None)
    assert delivery.everywhere(job, folder, DeliveryStatus.SENT)
    assert not delivery.everywhere(job, folder, DeliveryStatus.COMMITTED)
    delivery.commit(job, folder, "pacs", lambda: None)
    assert delivery.everywhere(job, folder, DeliveryStatus.COMMITTED)


def test_what_the_destination_lost_is_sent_again(node: JobNode, orthanc: OrthancServer) -> None:

    job = node.make_job(4)
    folder, delivery = written(node, job), delivery_by(node, orthanc, "c-store")
    delivery.dispatch(job, folder, "pacs", lambda: None)
    (series,) = folder.written or []
    gone = orthanc.instances_of(series.series_instance_uid)[0]
    requests.delete(f"{orthanc.url}/instances/{gone}", timeout=30).raise_for_status()
    with pytest.raises(InstancesLost, match="does not keep 1 instances"):
        delivery.commit(job, folder, "pacs", lambda: None)
    delivery.dispatch(job, folder, "pacs", lambda: None)
    delivery.commit(job, folder, "pacs", lambda: None)
    assert len(orthanc.instances_of(series.series_instance_uid)) == 6


def test_the_source_is_who_sent_the_series(node: JobNode, orthanc: OrthancServer) -> None:
    job = node.make_job(4)
    delivery = delivery_by(node, orthanc, "c-store")
    assert delivery.peer(job, "source").name == "pacs"
    stranger = node.make_job(4, source_ae="NOBODY", destinations=["source"])
    with pytest.raises(DestinationRefuses, match="with AE title 'NOBODY'"):
        delivery.destinations(stranger)
