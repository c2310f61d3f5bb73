"""`vscanner work` as IT starts it: a worker alone, on the database and folder of the others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.database.tables import executors
from node.jobs.ledger import JobState
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, job_node
from tests.servers import wait_until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


def start(node: JobNode) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "node", "work", "--config", str(node.config_path)]
    with (node.folder / f"worker-{len(node.workers)}.log").open("wb") as log:
        node.workers.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    return node.workers[-1]


def alive(node: JobNode) -> int:
    with node.database.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(executors)) or 0


def test_help_shows_an_example() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "node", "work", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "vscanner work --config node.yaml" in shown.stdout


def test_a_wrong_configuration_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("node: {ae_titel: X}\n")
    ended = subprocess.run(
        [sys.executable, "-m", "node", "work", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "ae_title" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_two_workers_take_jobs_and_end_when_told(node: JobNode) -> None:
    too_short = node.make_job(2)
    workers = [start(node), start(node)]
    wait_until(lambda: alive(node) == 2, 90, "both workers to be there")
    refused = node.wait_for(too_short, JobState.REFUSED)
    assert "slices" in refused.reason
    for worker in workers:
        worker.terminate()
    assert [worker.wait(40) for worker in workers] == [0, 0]
    assert alive(node) == 0
