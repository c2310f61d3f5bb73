"""A small node for tests about jobs: spool and database here, workers as real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import yaml
from sqlalchemy.engine import Engine

from node.config import Config
from node.config_file import load_config
from node.database.tables import jobs, metadata, open_database
from node.jobs.ledger import Job, JobLedger, JobRequest, JobState
from node.receiver import Receiver
from node.spool import Spool
from node.spooling.file_meta import ReceivedFacts
from pipelines import catalog
from tests.node.dispatch.scp import StorageSCP
from tests.servers import OrthancServer, wait_until
from tests.synthetic import write_ct_series

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0  # the machine may be busy


@dataclass
class JobNode:
    """A node's folder and database, and the worker processes that were started for it."""

    folder: Path
    config_path: Path
    config: Config
    database: Engine
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ledger(self) -> JobLedger:
        return JobLedger(self.database)

    def send_series(self, slices: int = 8, **attributes: Any) -> list[str]:
        """Bring a phantom series into the spool; gives its SOP Instance UIDs."""
        number = len(list(self.folder.glob("source-*")))
        paths = write_ct_series(
            self.folder / f"source-{number}", slices=slices, seed=number, **attributes
        )
        return self.receive(paths)

    def receive(self, paths: Iterable[Path]) -> list[str]:
        """Bring files into the spool; gives their SOP Instance UIDs."""
        spool = Spool(self.folder / "data", self.database)
        uids = []
        for path in paths:
            ds = pydicom.dcmread(path, stop_before_pixels=True)
            length = 144 + ds.file_meta.FileMetaInformationGroupLength
            facts = ReceivedFacts(
                str(ds.SOPClassUID),
                str(ds.SOPInstanceUID),
                str(ds.file_meta.TransferSyntaxUID),
                "ORTHANC",
                "VSCANNER",
                "test",
            )
            spool.receive(path.read_bytes()[length:], facts)
            uids.append(str(ds.SOPInstanceUID))
        while spool.admit_incoming():
            pass
        return uids

    def make_job(self, slices: int = 8, **changes: Any) -> Job:
        """A job of a fresh phantom series."""
        attributes = changes.pop("attributes", {})
        return self.job_of(self.send_series(slices, **attributes), **changes)

    def change(self, job: Job, **values: Any) -> Job:
        """Write columns into a job's row, past the ledger's rules."""
        with self.database.begin() as connection:
            connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))
        return self.ledger.require(job.id)

    def job_of(self, uids: list[str], **changes: Any) -> Job:
        header = self.header(uids[0])
        card = catalog.card("ldct_denoise")
        values: dict[str, Any] = {
            "route": "low-dose chest",
            "pipeline": card.name,
            "model": f"{card.name}@{card.version}",
            "weights_sha256": card.weights.sha256,
            "study_instance_uid": str(header.StudyInstanceUID),
            "sources": {"CT": uids},
            "source_series": [str(header.SeriesInstanceUID)],
            "source_ae": "ORTHANC",
            "destinations": ["pacs"],
        }
        return self.ledger.create(JobRequest(**{**values, **changes}))[0]

    def header(self, sop_instance_uid: str) -> pydicom.Dataset:
        (path,) = (self.folder / "data" / "spool").rglob(f"{sop_instance_uid}.dcm")
        return pydicom.dcmread(path, stop_before_pixels=True)

    def start_worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a worker process; its log is in worker-N.log."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.node.worker_process", str(self.config_path), *arguments],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        log.close()
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """End a worker as a power cut would."""
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def wait_for(self, job: Job, *states: JobState, timeout_s: float = PATIENCE_S) -> Job:
        """Wait until the job is in one of these states."""

        def there() -> bool:
            return self.ledger.require(job.id).state in states

        try:
            wait_until(there, timeout_s, f"job to be {states}")
        except BaseException:
            print(self.ledger.require(job.id))
            for path in sorted(self.folder.glob("worker-*.log")):
                print(path.name, path.read_text()[-4000:], sep="\n")
            raise
        return self.ledger.require(job.id)

    def wait_for_step(self, job: Job, step: str) -> Job:
        """Wait until the job is at that step, looking as often as possible."""
        deadline = datetime.now(UTC).timestamp() + PATIENCE_S
        while (now := self.ledger.require(job.id)).step != step:
            assert datetime.now(UTC).timestamp() < deadline, now
        return now


def empty(database: Engine) -> None:
    """Forget everything: one PostgreSQL serves a whole session of tests."""
    with database.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


@contextlib.contextmanager
def job_node(
    folder: Path,
    destination: OrthancServer | StorageSCP,
    database: str = "sqlite",
    **jobs: Any,
) -> Iterator[JobNode]:
    """A node whose one peer is the destination; ends its workers afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "node.yaml"
    path.write_text(yaml.safe_dump(_settings(folder, destination, database, jobs)))
    config = load_config(path)
    node = JobNode(folder, path, config, open_database(config.node))
    try:
        yield node
    finally:
        for worker in node.workers:
            worker.kill()
            worker.wait()
        node.database.dispose()


@contextlib.contextmanager
def receiving(node: JobNode) -> Iterator[None]:
    """Our receiver, for commitment reports, while the block runs."""
    with socket.create_server(("127.0.0.1", node.config.node.port)) as listener:
        receiver = Receiver(node.config, listener)
        thread = threading.Thread(target=receiver.run)
        thread.start()
        try:
            yield
        finally:
            receiver.stop()
            thread.join()
            with contextlib.suppress(OSError):  # wakes the thread that accepts, which then ends
                socket.create_connection(("127.0.0.1", node.config.node.port)).close()


def _settings(
    folder: Path, destination: OrthancServer | StorageSCP, database: str, jobs: dict[str, Any]
) -> dict[str, Any]:
    quick = {"backoff_s": 0.2, "backoff_limit_s": 1, "heartbeat_s": 0.5, "lost_after_s": 3}
    peer: dict[str, Any]
    if isinstance(destination, OrthancServer):
        port = destination.our_port
        peer = {"ae_title": destination.ae_title, "port": destination.dicom_port}
    else:
        port = 11112
        peer = {
            "ae_title": "ODD",
            "port": destination.port,
            "query": False,
            "storage_commitment": False,
        }
    return {
        "node": {
            "ae_title": "VSCANNER",
            "host": "127.0.0.1",
            "port": port,
            "data_dir": str(folder / "data"),
            "database": database,
            "min_free_bytes": 0,
        },
        "peers": [{"name": "pacs", "host": "127.0.0.1", **peer}],
        "jobs": {**quick, "commitment_timeout_s": 10, "answer_timeout_s": 10, **jobs},
    }
