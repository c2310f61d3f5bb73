"""A destination says after all that it does not keep something, when the job is long over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
import sqlalchemy as sa

from node.commitment.ledger import CommitmentLedger
from node.database.tables import commitments, deliveries, jobs
from node.dispatch.ledger import DeliveryStatus
from node.jobs.ledger import Job, JobState
from node.receiving.reports import SOME_FAILED, CommitmentReport, record_report
from node.steps.folder import JobFolder, WrittenSeries
from node.work import Work
from node.working.doubts import MOST_RUNS, Doubts
from tests.node.job_node import JobNode, job_node, receiving
from tests.servers import OrthancServer, run_orthanc, wait_until

pytestmark = pytest.mark.orthanc


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def node(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobNode]:
    """A node with a job that Orthanc has committed itself to."""
    with job_node(tmp_path_factory.mktemp("node"), orthanc) as made, receiving(made):
        job = made.make_job(4)
        worker = made.start_worker()
        made.wait_for(job, JobState.COMMITTED)
        made.kill(worker)
        yield made


@pytest.fixture
def job(node: JobNode) -> Job:
    return next(job for job in node.ledger.list() if job.derived_series)


@pytest.fixture
def uid(node: JobNode, job: Job) -> str:
    """SOP Instance UID of an image that the job has sent."""
    written = JobFolder(node.config.node.data_dir / "jobs" / job.id).written
    assert written is not None
    return written[0].sop_instance_uids[1]


def report_lost(node: JobNode, job: Job, uid: str) -> None:
    """What the receiver does with a late report of Orthanc's."""
    with node.database.connect() as connection:
        transaction = connection.scalar(
            sa.select(commitments.c.transaction_uid).where(commitments.c.job_id == job.id)
        )
    assert transaction is not None
    assert record_report(node.database, CommitmentReport(transaction, {uid: 0x0112}), SOME_FAILED)


def delete(orthanc: OrthancServer, uid: str) -> None:
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
    (found,) = requests.post(f"{orthanc.url}/tools/find", json=query, timeout=30).json()
    requests.delete(f"{orthanc.url}/instances/{found}", timeout=30).raise_for_status()


def status_of(node: JobNode, uid: str) -> str | None:
    with node.database.connect() as connection:
        query = sa.select(deliveries.c.status).where(deliveries.c.sop_instance_uid == uid)
        return connection.scalar(query)


def test_what_the_index_shows_stays_and_the_job_says_so(node: JobNode, job: Job, uid: str) -> None:
    report_lost(node, job, uid)
    delivered: list[str] = []
    doubts = Doubts(node.config, node.database, lambda work: delivered.append(work.job_id))
    assert doubts.look() == 1
    assert doubts.look() == 0
    now = node.ledger.require(job.id)
    assert now.state is JobState.COMMITTED
    assert "reported later that it does not keep 1 of these objects" in now.to_json()["reason"]
    assert not delivered


def test_a_job_under_way_is_not_disturbed(node: JobNode, job: Job, uid: str) -> None:
    report_lost(node, job, uid)
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(finished=None, state="WRITTEN"))
    assert Doubts(node.config, node.database, lambda _work: None).look() == 0
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(finished=datetime.now(UTC), state="COMMITTED"))


def test_what_is_lost_again_and_again_is_a_persons_matter(
    node: JobNode,
) -> None:
    other = over(node, 4, run=MOST_RUNS)
    contradict(node, other)
    assert Doubts(node.config, node.database, lambda _work: None).look() >= 1
    now = node.ledger.require(other.id)
    assert (now.state, "5th time" in now.reason) == (JobState.FAILED, True)
    assert node.ledger.retry(other.id).state is JobState.QUEUED
    node.ledger.cancel(other.id)


def test_what_was_deleted_here_is_made_again(node: JobNode) -> None:
    """Its folder went by retention; its sources may be here, or a person has to send them."""
    other = over(node, 5)
    contradict(node, other)
    assert Doubts(node.config, node.database, lambda _work: None).look() >= 1
    now = node.ledger.require(other.id)
    assert (now.state, now.run, now.finished) == (JobState.QUEUED, 1, None)
    assert "does not keep an object that it took; sending again" in now.reason
    node.ledger.cancel(other.id)


def over(node: JobNode, slices: int, state: JobState = JobState.COMMITTED, **columns: int) -> Job:
    """A job that has come to its end."""
    made = node.make_job(slices)
    values = {"state": str(state), "finished": datetime.now(UTC), **columns}
    with node.database.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == made.id).values(values))
    return made


def contradict(node: JobNode, job: Job) -> None:
    """Its destination says late that it does not keep the object 1.7."""
    row = {"transaction_uid": f"1.8.{job.id}"[:64], "job_id": job.id, "destination": "pacs"}
    late = {"state": "CONTRADICTED", "failed": {"1.7": 1}, "asked": datetime.now(UTC)}
    with node.database.begin() as connection:
        connection.execute(commitments.insert().values(**row, **late))


def late_report(
    node: JobNode,
    slices: int,
    state: JobState,
    statuses: dict[str, DeliveryStatus],
    sent: tuple[str, ...] = ("1.7",),
) -> Job:
    """A job that has sent objects, of which its first destination, it says now, lacks the 1.7."""
    made, now = over(node, slices, state), datetime.now(UTC)
    folder = JobFolder(node.config.node.data_dir / "jobs" / made.id)
    folder.derived.mkdir(parents=True)
    folder.set_written([WrittenSeries("1.3", "images", (), sent)])
    with node.database.begin() as connection:
        for name, status in statuses.items():
            row = {"job_id": made.id, "updated": now, "destination": name, "status": status}
            for uid in sent:
                connection.execute(deliveries.insert().values(**row, sop_instance_uid=uid))
    contradict(node, made)
    return made


def test_an_older_promise_of_the_same_destination_counts_no_more(node: JobNode) -> None:
    """It was asked twice and promised twice; now it does not keep what it promised."""
    other = late_report(node, 6, JobState.COMMITTED, {"pacs": DeliveryStatus.COMMITTED})
    with node.database.begin() as connection:
        row = {"transaction_uid": "1.9", "job_id": other.id, "destination": "pacs"}
        promised = {"state": "COMMITTED", "failed": {}, "asked": datetime.now(UTC)}
        connection.execute(commitments.insert().values(**row, **promised))
    Doubts(node.config, node.database, lambda _work: None).look()
    assert node.ledger.require(other.id).state is JobState.WRITTEN
    assert not CommitmentLedger(node.database, node.config).asked_before(other.id, "pacs")
    node.ledger.cancel(other.id)


def test_two_reports_about_one_job_are_one_doubt(node: JobNode) -> None:
    """Else the second would be held against what the first had sent again."""
    other = late_report(node, 10, JobState.COMMITTED, {"pacs": DeliveryStatus.COMMITTED})
    with node.database.begin() as connection:
        row = {"transaction_uid": "1.10", "job_id": other.id, "destination": "pacs"}
        late = {"state": "CONTRADICTED", "failed": {"1.7": 1}, "asked": datetime.now(UTC)}
        connection.execute(commitments.insert().values(**row, **late))
    doubts = Doubts(node.config, node.database, lambda _work: None)
    assert doubts.look() >= 2
    now = node.ledger.require(other.id)
    assert (now.state, now.run) == (JobState.WRITTEN, 1)
    with node.database.begin() as connection:
        ended = {"finished": datetime.now(UTC), "state": "COMMITTED"}
        connection.execute(jobs.update().where(jobs.c.id == other.id).values(ended))
    assert doubts.look() == 0


def test_a_crash_while_it_is_sent_again_makes_no_second_doubt(node: JobNode) -> None:
    """What is sent again is there then: the report is no reason to doubt that too."""
    other = late_report(node, 11, JobState.COMMITTED, {"pacs": DeliveryStatus.COMMITTED})

    def killed(_work: Work) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Doubts(node.config, node.database, killed).look()
    assert node.ledger.require(other.id).run == 1
    with node.database.begin() as connection:  # as after the run that a worker makes of it
        ended = {"finished": datetime.now(UTC), "state": "COMMITTED"}
        connection.execute(jobs.update().where(jobs.c.id == other.id).values(ended))
    assert Doubts(node.config, node.database, lambda _work: None).look() == 0
    assert node.ledger.require(other.id).run == 1


def test_who_had_not_confirmed_is_asked_again_too(node: JobNode) -> None:
    """Else the job would wait for a destination to which nothing goes."""
    statuses = {"pacs": DeliveryStatus.COMMITTED, "viewer": DeliveryStatus.SENT}
    other = late_report(node, 7, JobState.SENT, statuses)
    delivered: list[str] = []
    Doubts(node.config, node.database, lambda work: delivered.append(work.destination)).look()
    assert delivered == ["pacs", "viewer"]
    node.ledger.cancel(other.id)


class LogInPage(BaseHTTPRequestHandler):
    """What stands before an archive answers instead of it, as if all were well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Please log in.</html>")

    def log_message(self, *_: object) -> None:
        pass


def test_a_destination_that_answers_nonsense_keeps_no_other_waiting(node: JobNode) -> None:
    jobs_made = [late_report(node, slices, JobState.COMMITTED, {}) for slices in (8, 9)]
    with node.database.begin() as connection:
        second = commitments.c.job_id == jobs_made[1].id
        connection.execute(commitments.update().where(second).values(destination="removed"))
    delivered: list[str] = []
    with HTTPServer(("127.0.0.1", 0), LogInPage) as server:
        threading.Thread(target=server.serve_forever).start()
        (peer,) = node.config.peers
        url = f"http://127.0.0.1:{server.server_port}"
        odd = peer.model_copy(update={"send_by": "stow-rs", "dicomweb": url})
        config = node.config.model_copy(update={"peers": (odd,)})
        Doubts(config, node.database, lambda work: delivered.append(work.job_id)).look()
        server.shutdown()
    assert delivered == [jobs_made[1].id]
    assert node.ledger.require(jobs_made[0].id).state is JobState.COMMITTED
    with node.database.begin() as connection:
        connection.execute(commitments.update().values(state="EXPIRED"))
    node.ledger.cancel(jobs_made[1].id)


@pytest.mark.parametrize(
    ("slices", "named", "lost"), [(12, "1.7", ["1.7"]), (13, "1.99", ["1.7", "1.8"])]
)
def test_who_has_no_index_is_believed(
    node: JobNode, slices: int, named: str, lost: list[str]
) -> None:
    """A report that names none of the job's objects is held to mean all of them."""
    committed = {"pacs": DeliveryStatus.COMMITTED}
    other = late_report(node, slices, JobState.COMMITTED, committed, sent=("1.7", "1.8"))
    with node.database.begin() as connection:
        mine = commitments.c.job_id == other.id
        connection.execute(commitments.update().where(mine).values(failed={named: 1}))
    (peer,) = node.config.peers
    config = node.config.model_copy(update={"peers": (peer.model_copy(update={"query": False}),)})
    Doubts(config, node.database, lambda _work: None).look()
    failed = sa.select(deliveries.c.sop_instance_uid).where(
        deliveries.c.job_id == other.id, deliveries.c.status == DeliveryStatus.FAILED
    )
    with node.database.connect() as connection:
        assert sorted(connection.scalars(failed)) == lost
    node.ledger.cancel(other.id)


def test_what_the_index_lacks_is_sent_again(
    node: JobNode, orthanc: OrthancServer, job: Job, uid: str
) -> None:
    delete(orthanc, uid)
    report_lost(node, job, uid)
    node.start_worker()
    wait_until(lambda: node.ledger.require(job.id).run == 1, 90, "the job to be run again")
    node.wait_for(job, JobState.COMMITTED)
    assert status_of(node, uid) == DeliveryStatus.COMMITTED
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
    assert len(requests.post(f"{orthanc.url}/tools/find", json=query, timeout=30).json()) == 1
