from __future__ import annotations

from pathlib import Path

import pytest

from node.jobs import JobState
from tests.node.job_node import job_node, receiving
from tests.servers import OrthancServer


@pytest.mark.orthanc
def test_a_job_from_queue_to_commitment(orthanc: OrthancServer, tmp_path: Path) -> None:
    with job_node(tmp_path / "node", orthanc) as node, receiving(node):
        job = node.make_job(slices=12)
        node.start_worker()
        done = node.wait_for(job, JobState.COMMITTED)
        print(done.timings, done.finished - done.started)
        assert orthanc.series_uids() == set(done.derived_series)
