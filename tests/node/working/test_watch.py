from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.jobs.ledger import Job
from node.working.watch import JobStopped, Watch
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, job_node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


@pytest.fixture
def job(node: JobNode) -> Job:
    return node.make_job(4)


def test_goes_on(node: JobNode, job: Job) -> None:
    assert Watch(node.ledger, job, lambda: True).ask() == job


def test_stops_when_cancelled(node: JobNode, job: Job) -> None:
    node.ledger.cancel(job.id)
    with pytest.raises(JobStopped):
        Watch(node.ledger, job, lambda: True).ask()


def test_stops_when_another_run_has_begun(node: JobNode, job: Job) -> None:
    node.ledger.cancel(job.id)
    node.ledger.retry(job.id)
    with pytest.raises(JobStopped):
        Watch(node.ledger, job, lambda: True).ask()


def test_stops_when_others_took_the_job(node: JobNode, job: Job) -> None:
    with pytest.raises(JobStopped):
        Watch(node.ledger, job, lambda: False).ask()


def test_asks_and_notes_only_now_and_then(node: JobNode, job: Job) -> None:
    now = [0.0]
    watch = Watch(node.ledger, job, lambda: True, clock=lambda: now[0])
    node.ledger.cancel(job.id)
    now[0] = 0.4
    watch()  # half a second has not passed
    watch.progress(1, 4)
    assert node.ledger.require(job.id).progress == 0
    now[0] = 0.6
    with pytest.raises(JobStopped):
        watch.progress(2, 4)
    assert node.ledger.require(job.id).progress == 0.5
