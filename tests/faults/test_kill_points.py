"""Killed right after anything that it did, each process of the node comes to the same end.

`tests.faults.killing` says what a point is. Every process first does its work undisturbed, which
shows its points; then, for some of them, it is killed there and started again. By default these are
a few, the same ones each time. Another few, or all of them (half an hour), by

    KILL_POINTS=7 pytest tests/faults/test_kill_points.py
    KILL_POINTS=all pytest tests/faults/test_kill_points.py
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import random
import shutil
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from node.config import Config
from node.database.tables import (
    commitments,
    conflicts,
    deliveries,
    instances,
    jobs,
    open_database,
    series,
)
from node.dispatch.outgoing import read_outgoing
from node.jobs.ledger import Job, JobState
from node.receiving import pdu
from node.receiving.performed_steps import StepReport, create_step, set_step
from node.steps.folder import JobFolder, WrittenSeries
from tests.faults.killing import (
    Point,
    assemble,
    look_into_doubts,
    points_of,
    receive,
    running,
    sweep,
    work,
)
from tests.node.datasets import dataset_bytes, encoded
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.feeding import LOW_DOSE_ROUTE
from tests.node.job_node import JobNode, job_node
from tests.node.receiving.running import RawPeer, make_config, p_data, pdv, status_of, store_command
from tests.servers import wait_until
from tests.synthetic import write_ct_series

DRAW = os.environ.get("KILL_POINTS", "2026")
PATIENCE_S = 120.0  # the machine may be busy
SLICES = 3
SERIES = "1.2.840.4711.1"
RELEASE = struct.pack(">BxLL", pdu.RELEASE_RQ, 4, 0)
LONG_AGO = datetime.now(UTC) - timedelta(days=365)

Round = Callable[[Path, Point | None], list[Point]]
"""Does a process's work in a fresh folder, killed at that point; gives the points it reached."""


def kill_at_some_points(folder: Path, once: Round, count: int) -> None:
    """Kill at so many points, drawn from those that an undisturbed process reaches."""
    points = list(dict.fromkeys(once(folder / "undisturbed", None)))
    drawn = points if DRAW == "all" else random.Random(DRAW).sample(points, min(count, len(points)))
    for number, point in enumerate(drawn):
        place = folder / str(number)
        try:
            once(place, point)
        except BaseException as error:
            error.add_note(f"killed at: {point}; its files: {place}")
            raise
        shutil.rmtree(place)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Sending:
    """What a modality sends of a series: a data set, and the answer that it should get."""

    dataset: Dataset
    data: bytes
    answer: int = 0x0000


@pytest.fixture(scope="module")
def sendings(tmp_path_factory: pytest.TempPathFactory) -> list[Sending]:
    """A series with a duplicate, another content under a known UID, and one that is cut short."""
    paths = write_ct_series(tmp_path_factory.mktemp("ct"), slices=SLICES, series_uid=SERIES)
    one, two, three = (pydicom.dcmread(path) for path in paths)
    other, cut = copy.deepcopy(two), copy.deepcopy(one)
    other.SeriesDescription = "ANOTHER LOW DOSE CHEST"
    cut.SOPInstanceUID = generate_uid()
    whole = [Sending(ds, encoded(ds)) for ds in (one, two, one, other)]
    return [*whole, Sending(cut, encoded(cut)[:-9], 0xC000), Sending(three, encoded(three))]


def test_receiver(tmp_path: Path, sendings: Sequence[Sending]) -> None:
    kill_at_some_points(tmp_path, lambda at, last: received(at, sendings, receive, last), 3)


def test_assembler(tmp_path: Path, sendings: Sequence[Sending]) -> None:
    kill_at_some_points(tmp_path, lambda at, last: received(at, sendings, assemble, last), 3)


def received(
    folder: Path, sendings: Sequence[Sending], victim: Callable[..., None], last: Point | None
) -> list[Point]:
    """Receive and assemble what is sent; the sender repeats what had no answer."""
    config = reception(folder)
    with contextlib.ExitStack() as living:
        processes: dict[Callable[..., None], ForkServerProcess] = {}

        def revive() -> None:
            for role in (receive, assemble):
                if role not in processes or not processes[role].is_alive():
                    first = role is victim and role not in processes
                    trace = folder / ("first" if first else f"later-{role.__name__}")
                    begun = running(role, config, trace, last if first else None)
                    processes[role] = living.enter_context(begun)

        answers: dict[int, int] = {}

        def all_is_done() -> bool:
            revive()
            send(config, sendings, answers)
            return len(answers) == len(sendings) and is_decided(config)

        wait_until(all_is_done, PATIENCE_S, "the series to be received and decided about")
    assert [answers[number] for number in sorted(answers)] == [one.answer for one in sendings]
    assert_received_once(config, sendings)
    return points_of(folder / "first")


def reception(folder: Path) -> Config:
    """A node that knows, from the modality, how many images will come; one is damaged already."""
    folder.mkdir(parents=True)
    plain = make_config(folder / "data")
    peers = [peer.model_copy(update={"query": False}) for peer in plain.peers]
    assembly, routes = {"quiet_s": 300, "limit_s": 600}, [LOW_DOSE_ROUTE]
    changes = {"peers": peers, "assembly": assembly, "routes": routes}
    config = Config.model_validate({**plain.model_dump(), **changes})
    database = open_database(config.node)
    create_step(database, "1.2.3", StepReport("IN PROGRESS"), "CT1")
    set_step(database, "1.2.3", StepReport("COMPLETED", {SERIES: SLICES}))
    database.dispose()
    incoming = config.node.data_dir / "incoming"
    incoming.mkdir()
    (incoming / "20260101T000000.000000Z-a1-000000.dcm").write_bytes(b"damaged")
    return config


def send(config: Config, sendings: Sequence[Sending], answers: dict[int, int]) -> None:
    """Send what has no answer yet, until the connection ends."""
    waiting = [number for number in range(len(sendings)) if number not in answers]
    with contextlib.suppress(OSError, AssertionError), RawPeer(config) as peer:
        if waiting:
            peer.associate()
        for number in waiting:
            one = sendings[number]
            command = pdv(store_command(one.dataset, number), command=True, last=True)
            peer.send(p_data(command))
            peer.send(p_data(pdv(one.data, command=False, last=True)))
            answers[number] = status_of(peer.receive())
        peer.send(RELEASE)


def is_decided(config: Config) -> bool:
    """Whether all that was received is admitted, and the series complete and decided about."""
    incoming = config.node.data_dir / "incoming"
    if [path for path in incoming.iterdir() if path.suffix in (".dcm", ".json")]:
        return False
    return [row.state for row in rows_of(config, series)] == ["ROUTED"]


def rows_of(config: Config, table: sa.Table) -> Sequence[Any]:
    """Every row of a table."""
    database = open_database(config.node)
    with database.connect() as connection:
        rows = connection.execute(sa.select(table)).all()
    database.dispose()
    return rows


def assert_received_once(config: Config, sendings: Sequence[Sending]) -> None:
    """Everything that was answered with success is there once, and one job was made of it."""
    data_dir, one, two, _, other, _, three = config.node.data_dir, *sendings
    wanted = {str(s.dataset.SOPInstanceUID): digest(s.data) for s in (one, two, three)}
    spool = sorted((data_dir / "spool").rglob("*.dcm"))
    assert {path.stem: digest(dataset_bytes(path.read_bytes())) for path in spool} == wanted
    assert len(spool) == SLICES
    rows = rows_of(config, instances)
    assert {row.sop_instance_uid: row.sha256 for row in rows} == wanted
    (aside,) = (data_dir / "conflicts").iterdir()
    assert digest(dataset_bytes(aside.read_bytes())) == digest(other.data)
    assert [row.sha256 for row in rows_of(config, conflicts)] == [digest(other.data)]
    assert len(list((data_dir / "rejected").iterdir())) == 2  # the damaged one, and why
    assert not list((data_dir / "incoming").glob(".work-*/*"))
    (row,) = rows_of(config, series)
    assert (row.revision, row.completed_count) == (1, SLICES)
    assert row.evidence["kind"] == "performed_step"
    assert row.decision
    (job,) = rows_of(config, jobs)
    assert len(job.sources["CT"]) == SLICES
    assert job.evidence


@pytest.fixture(scope="module")
def waiting_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a node with a job that no worker has seen."""
    folder = tmp_path_factory.mktemp("waiting")
    with job_node(folder, StorageSCP(port=1)) as node:
        node.make_job(SLICES)
    return folder / "data"


def test_worker(tmp_path: Path, waiting_job: Path) -> None:
    kill_at_some_points(tmp_path, lambda at, last: worked(at, waiting_job, last), 4)


def worked(folder: Path, waiting_job: Path, last: Point | None) -> list[Point]:
    """Do a job, by a second worker where the first is killed."""
    shutil.copytree(waiting_job, folder / "data")
    arrived: dict[str, set[str]] = defaultdict(set)

    def take(_count: int, event: evt.Event) -> int:
        uid = str(event.file_meta.MediaStorageSOPInstanceUID)
        arrived[uid].add(digest(event.encoded_dataset(include_meta=False)))
        return 0x0000

    with storage_scp(take) as scp, job_node(folder, scp, max_attempts=50) as node:
        (job,) = node.ledger.list()
        with running(work, node.config, folder / "first", last) as first:
            wait_until(lambda: not first.is_alive() or is_over(node, job), PATIENCE_S, "its end")
        if not is_over(node, job):
            with running(work, node.config, folder / "second"):
                wait_until(lambda: is_over(node, job), PATIENCE_S, "the job to end")
        assert_sent_alike(node, job, arrived)
    return points_of(folder / "first")


def is_over(node: JobNode, job: Job) -> bool:
    """Whether the job has ended, and every workflow of it; and a dead worker's lock is gone."""
    locks = list((node.config.node.data_dir / "workers").glob("*"))
    if node.ledger.require(job.id).finished is None or len(locks) != 1:
        return False
    return all(status == "SUCCESS" for status in workflows(node))


def workflows(node: JobNode) -> list[str]:
    file = node.config.node.data_dir / "dbos.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM workflow_status")]


def assert_sent_alike(node: JobNode, job: Job, arrived: Mapping[str, set[str]]) -> None:
    """Each derived object arrived, with the same bytes however often; nothing half is left."""
    done, data_dir = node.ledger.require(job.id), node.config.node.data_dir
    assert (done.state, done.run) == (JobState.SENT, 0)
    assert {"gate", "translate", "write", "check", "dispatch"} <= set(done.timings)
    paths = list((data_dir / "jobs" / job.id / "derived").iterdir())
    ours = {
        read_outgoing(path).sop_instance_uid: {digest(dataset_bytes(path.read_bytes()))}
        for path in paths
    }
    assert len(ours) == len(paths) == SLICES + 2  # report and label
    assert arrived == ours
    with node.database.connect() as connection:
        statuses = connection.execute(sa.select(deliveries.c.status)).scalars().all()
    assert statuses == ["SENT"] * len(ours)
    assert not [path for path in data_dir.rglob("*") if ".part" in path.name]
    assert not list(data_dir.rglob("translated.npy*"))


@pytest.fixture(scope="module")
def old_node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a node on which all but the series of a failed job may be deleted."""
    folder = tmp_path_factory.mktemp("old")
    with job_node(folder, StorageSCP(port=1)) as node:
        for state in (JobState.COMMITTED, JobState.FAILED):
            job = node.make_job(SLICES)
            derived = JobFolder(folder / "data" / "jobs" / job.id).derived
            derived.mkdir(parents=True)
            for name in ("one.dcm", "two.dcm"):
                (derived / name).touch()
            with node.database.begin() as connection:
                this = jobs.update().where(jobs.c.id == job.id)
                connection.execute(this.values(state=state, finished=LONG_AGO))
        age(node)
    return folder / "data"


def age(node: JobNode) -> None:
    """All was received, and decided about, long ago; beside it lie a conflict and a bad file."""
    data_dir = node.config.node.data_dir
    decided = {"state": "ROUTED", "completed_count": series.c.instance_count}
    aside = {"sop_instance_uid": "1.2", "series_instance_uid": "1.3", "source_ae": "A"}
    path = "conflicts/1.2-ab.dcm"
    with node.database.begin() as connection:
        connection.execute(series.update().values(last_received=LONG_AGO, **decided))
        row = {**aside, "received": LONG_AGO, "path": path, "sha256": "ab"}
        connection.execute(conflicts.insert().values(row))
    for name in (path, "rejected/bad.dcm", "rejected/bad.dcm.reason"):
        (data_dir / name).parent.mkdir(exist_ok=True)
        (data_dir / name).touch()
        os.utime(data_dir / name, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))


@pytest.mark.parametrize("comes_again", [False, True])
def test_retention(tmp_path: Path, old_node: Path, comes_again: bool) -> None:
    kill_at_some_points(tmp_path, lambda at, last: swept(at, old_node, last, comes_again), 4)


def swept(folder: Path, old_node: Path, last: Point | None, comes_again: bool) -> list[Point]:
    """Sweep, killed in the middle, and once more; meanwhile the committed series may come again."""
    shutil.copytree(old_node, folder / "data")
    with job_node(folder, StorageSCP(port=1)) as node:
        with running(sweep, node.config, folder / "first", last) as first:
            first.join(PATIENCE_S)
        is_gone = len(list((folder / "data" / "spool").rglob("*.dcm"))) < 2 * SLICES
        if comes_again:
            node.receive(sorted((old_node.parent / "source-0").iterdir()))
        with running(sweep, node.config, folder / "second") as second:
            second.join(PATIENCE_S)
            assert second.exitcode == 0
        assert_swept(node, SLICES if comes_again and is_gone else 0)
    return points_of(folder / "first")


def assert_swept(node: JobNode, of_the_committed: int) -> None:
    """What may go has gone, with its rows; what came again, and what may be needed, is here."""
    data_dir = node.config.node.data_dir
    spool = data_dir / "spool"
    files = {str(path.relative_to(data_dir)) for path in spool.rglob("*.dcm")}
    rows = [row for row in rows_of(node.config, instances) if row.deleted is None]
    assert {row.path for row in rows} == files
    series_of_job = {job.state: job.source_series[0] for job in node.ledger.list()}
    counts = {state: sum(uid in name for name in files) for state, uid in series_of_job.items()}
    assert counts == {JobState.COMMITTED: of_the_committed, JobState.FAILED: SLICES}
    assert not [path for path in spool.rglob("*") if path.is_dir() and not any(path.iterdir())]
    for name in ("jobs", "conflicts", "rejected"):
        assert not list((data_dir / name).iterdir())
    assert not rows_of(node.config, conflicts)


def test_doubts(tmp_path: Path) -> None:
    kill_at_some_points(tmp_path, doubted, 4)


def doubted(folder: Path, last: Point | None) -> list[Point]:
    """Look into a late report; what is sent again by it is no reason to send it once more."""
    with job_node(folder, StorageSCP(port=1)) as node:
        job = late_report(node)
        for trace, point in ((folder / "first", last), (folder / "second", None)):
            with running(look_into_doubts, node.config, trace, point) as process:
                process.join(PATIENCE_S)
            if node.ledger.require(job.id).run == 1:
                end(node, JobState.COMMITTED)  # as the worker does that takes the run up
        assert node.ledger.require(job.id).run == 1
        (row,) = rows_of(node.config, commitments)
        assert row.state == "EXPIRED"
    return points_of(folder / "first")


def late_report(node: JobNode) -> Job:
    """A committed job; its destination says that it does not keep what it took."""
    job, now = node.make_job(SLICES), datetime.now(UTC)
    folder = JobFolder(node.config.node.data_dir / "jobs" / job.id)
    folder.derived.mkdir(parents=True)
    folder.set_written([WrittenSeries("1.3", "images", (), ("1.7",))])
    sent = {"job_id": job.id, "destination": "pacs", "sop_instance_uid": "1.7"}
    asked = {"job_id": job.id, "destination": "pacs", "transaction_uid": "1.8", "asked": now}
    with node.database.begin() as connection:
        row = {**sent, "status": "COMMITTED", "updated": now}
        connection.execute(deliveries.insert().values(row))
        row = {**asked, "state": "CONTRADICTED", "failed": {"1.7": 0x0112}}
        connection.execute(commitments.insert().values(row))
    end(node, JobState.COMMITTED)
    return job


def end(node: JobNode, state: JobState) -> None:
    """Every job has come to this end."""
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(state=state, finished=datetime.now(UTC)))
