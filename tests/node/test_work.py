from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pynetdicom import evt

from node.database.tables import instances, open_database
from node.jobs.ledger import Job, JobState
from node.steps.folder import JobFolder
from node.work import JobWork, Outcome, Work
from node.working.warm import WarmPipelines
from pipelines.contract import GateVerdict, Pipeline
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, job_node
from tests.node.smoothing import SeesNothing, Smoothing
from tests.servers import OrthancServer, free_port

MAKING = ("gate", "translate", "write", "check")
OLDER = {"model": "ldct_denoise@0.9.0", "weights_sha256": "ab" * 32}


@pytest.fixture
def scp() -> Iterator[StorageSCP]:
    with storage_scp() as running:
        yield running


@pytest.fixture
def node(scp: StorageSCP, tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, scp, max_attempts=2) as made:
        yield made


def smoothing(_name: str) -> Pipeline:
    return Smoothing()


def work_of(
    node: JobNode, load: Callable[[str], Pipeline] = smoothing, alive: bool = True
) -> JobWork:
    return JobWork(node.config, node.database, WarmPipelines(load), lambda: alive)


def do(work: JobWork, job: Job, *steps: str, attempt: int = 1) -> list[Outcome]:
    return [
        work.attempt(step, Work(job.id, job.run, attempt, "" if step in MAKING else "pacs"))
        for step in steps
    ]


def test_states_and_steps(node: JobNode, scp: StorageSCP) -> None:
    work, job = work_of(node), node.make_job(4)
    for step, state in [
        ("gate", JobState.RUNNING),
        ("translate", JobState.RUNNING),
        ("write", JobState.RUNNING),
        ("check", JobState.WRITTEN),
        ("dispatch", JobState.SENT),
    ]:
        assert do(work, job, step) == [Outcome(go_on=True)]
        now = node.ledger.require(job.id)
        assert (now.state, now.step, now.progress) == (state, step, 1.0)
        assert step in now.timings
    assert len(scp.stored) == 6


def test_every_step_may_be_repeated(node: JobNode, scp: StorageSCP) -> None:
    work, job = work_of(node), node.make_job(4)
    for step in (*MAKING, "dispatch"):
        do(work, job, step)
        assert do(work_of(node), job, step) == [Outcome(go_on=True)]
    assert scp.requests == 6


def test_a_source_without_its_file_is_said_to_be_gone(node: JobNode) -> None:
    """A sweep was killed when the file was deleted and its row was not yet marked."""
    work, job = work_of(node), node.make_job(4)
    next((node.folder / "data" / "spool").rglob("*.dcm")).unlink()
    assert do(work, job, "gate") == [Outcome(go_on=False)]
    now = node.ledger.require(job.id)
    assert now.state is JobState.FAILED
    assert "send the series again" in now.reason


@pytest.mark.parametrize("step", ["dispatch", "commitment"])
def test_what_is_committed_is_not_asked_about_again(node: JobNode, step: str) -> None:
    """A worker died before its workflow ended; what is lost since then is a doubt, not a step's."""
    work, job = work_of(node), node.make_job(4)
    do(work, job, *MAKING, "dispatch")
    node.ledger.update(job.id, state=JobState.COMMITTED)
    before = node.ledger.require(job.id)
    assert do(work, job, step) == [Outcome(go_on=False)]
    assert node.ledger.require(job.id) == before


def test_images_in_which_the_pipeline_sees_nothing_are_refused(node: JobNode) -> None:
    job = node.make_job(4)
    outcomes = do(work_of(node, lambda _: SeesNothing()), job, "gate", "translate")
    assert [outcome.go_on for outcome in outcomes] == [True, False]
    ended = node.ledger.require(job.id)
    assert (ended.state, ended.reason) == (JobState.REFUSED, "There is nothing in these images.")


def test_the_data_directory_moves_between_two_steps(
    node: JobNode, scp: StorageSCP, tmp_path: Path
) -> None:
    """A disk that is mounted elsewhere, or a copy of the whole node on another machine."""
    job = node.make_job(4)
    do(work_of(node), job, "gate", "translate")
    node.database.dispose()
    moved = shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    settings = node.config.node.model_copy(update={"data_dir": Path(moved)})
    node.config = node.config.model_copy(update={"node": settings})
    node.database = open_database(settings)
    outcomes = do(work_of(node), job, "write", "check", "dispatch")
    assert all(outcome.go_on for outcome in outcomes), node.ledger.require(job.id).reason
    assert len(scp.stored) == 6
    assert str(tmp_path) not in (Path(moved) / "jobs" / job.id / "input.json").read_text()


def test_a_folder_of_an_earlier_version_names_its_sources_in_full(node: JobNode) -> None:
    work, job = work_of(node), node.make_job(4)
    do(work, job, "gate")
    file = work.folder(job.id).path / "input.json"
    values = json.loads(file.read_text())
    data_dir = node.config.node.data_dir
    values["sources"] = {
        key: [str(data_dir / path) for path in paths] for key, paths in values["sources"].items()
    }
    file.write_text(json.dumps(values))
    assert [one.go_on for one in do(work_of(node), job, *MAKING)] == [True] * len(MAKING)


@pytest.mark.parametrize("made", [(), ("translate",)])
def test_a_job_of_another_version_of_the_model_gives_way_to_one_of_the_installed(
    node: JobNode, monkeypatch: pytest.MonkeyPatch, made: tuple[str, ...]
) -> None:
    """The node was updated while the job waited, or between its translation and its writing."""
    job = node.make_job(4, **OLDER)
    work = work_of(node)
    with monkeypatch.context() as before:
        before.setattr("node.steps.translate.refuse_other_model", lambda *_: None)
        do(work, job, "gate", *made)
    assert do(work_of(node), job, "write" if made else "translate") == [Outcome(go_on=False)]
    now, again = node.ledger.require(job.id), node.ledger.waiting()[0]
    assert now.state is JobState.CANCELLED
    assert f"made for {OLDER['model']}" in now.reason
    assert f"job {again.id[:12]} takes its place" in now.reason
    assert (again.sources, again.destinations) == (job.sources, job.destinations)
    assert [one.go_on for one in do(work, again, *MAKING)] == [True] * len(MAKING)


def test_two_versions_at_work_do_not_pass_a_job_to_and_fro(node: JobNode) -> None:
    """The other version's worker had given this job's place to one of its own."""
    job = node.make_job(4, **OLDER)
    again = node.job_of(job.sources["CT"])
    node.ledger.cancel(again.id)
    assert do(work_of(node), job, "gate", "translate")[-1] == Outcome(go_on=False)
    now = node.ledger.require(job.id)
    assert now.state is JobState.FAILED
    assert f"job {again.id[:12]} was cancelled; retry it" in now.reason
    assert not node.ledger.waiting()


def test_error_that_may_pass(node: JobNode) -> None:
    def full(_name: str) -> Pipeline:
        raise OSError(28, "No space left on device")

    work, job = work_of(node, full), node.make_job(4)
    _, first = do(work, job, "gate", "translate")
    assert first.wait_s is not None
    now = node.ledger.require(job.id)
    assert now.state is JobState.QUEUED
    assert "No space left on device" in now.reason
    assert "Try 2 of 2" in now.reason
    (second,) = do(work, job, "translate", attempt=2)
    assert second == Outcome(go_on=False)
    now = node.ledger.require(job.id)
    assert now.state is JobState.FAILED
    assert now.reason.startswith("Given up after 2 tries.")


def test_cancelled_between_steps(node: JobNode) -> None:
    work, job = work_of(node), node.make_job(4)
    do(work, job, "gate")
    node.ledger.cancel(job.id)
    assert do(work, job, "translate") == [Outcome(go_on=False)]
    assert node.ledger.require(job.id).state is JobState.CANCELLED


def test_cancelled_just_as_the_gate_refuses(node: JobNode, monkeypatch: pytest.MonkeyPatch) -> None:
    job = node.make_job(4)

    def refuse(_folder: JobFolder) -> GateVerdict:
        node.ledger.cancel(job.id)
        return GateVerdict.from_reasons(("No.",))

    monkeypatch.setattr("node.work.gate_step", refuse)
    assert do(work_of(node), job, "gate") == [Outcome(go_on=False)]
    assert node.ledger.require(job.id).state is JobState.CANCELLED


def test_other_run_is_left_alone(node: JobNode) -> None:
    work, job = work_of(node), node.make_job(4)
    node.ledger.cancel(job.id)
    node.ledger.retry(job.id)
    assert do(work, job, "gate") == [Outcome(go_on=False)]
    assert node.ledger.require(job.id).state is JobState.QUEUED


def test_worker_that_counts_as_dead_does_nothing(node: JobNode, scp: StorageSCP) -> None:
    job = node.make_job(4)
    do(work_of(node), job, *MAKING)
    assert do(work_of(node, alive=False), job, "dispatch") == [Outcome(go_on=False)]
    assert scp.requests == 0


def test_cancelled_while_it_is_sent(node: JobNode, scp: StorageSCP) -> None:
    work, job = work_of(node), node.make_job(4)
    do(work, job, *MAKING)
    node.ledger.cancel(job.id)
    assert do(work, job, "dispatch") == [Outcome(go_on=False)]
    assert scp.requests == 0


def test_one_failed_destination_keeps_its_reason(node: JobNode) -> None:
    work, job = work_of(node), node.make_job(4)
    do(work, job, *MAKING)
    node.ledger.update(job.id, state=JobState.FAILED, reason="another destination refuses")
    assert do(work, job, "dispatch") == [Outcome(go_on=True)]
    now = node.ledger.require(job.id)
    assert (now.state, now.reason) == (JobState.FAILED, "another destination refuses")


def test_a_failed_job_says_why_while_another_destination_is_tried(node: JobNode) -> None:
    (peer,) = node.config.peers
    down = peer.model_copy(update={"port": free_port()})
    node.config = node.config.model_copy(update={"peers": (down,)})
    work, job = work_of(node), node.make_job(4)
    do(work, job, *MAKING)
    node.ledger.update(job.id, state=JobState.FAILED, reason="the archive refuses it")
    (tried,) = do(work, job, "dispatch")
    assert tried.wait_s is not None
    assert node.ledger.require(job.id).reason == "the archive refuses it"


@pytest.mark.orthanc
def test_what_was_refused_and_is_kept_after_all(node: JobNode, orthanc: OrthancServer) -> None:
    """A worker was killed before DBOS knew of the refusal; the archive was mended meanwhile."""
    job = node.make_job(4)
    do(work_of(node), job, *MAKING)
    node.ledger.update(job.id, state=JobState.FAILED, reason="pacs refused it for good")
    (peer,) = node.config.peers
    address = {"ae_title": orthanc.ae_title, "port": orthanc.dicom_port, "query": True}
    mended = peer.model_copy(update=address)
    node.config = node.config.model_copy(update={"peers": (mended,)})
    assert [one.go_on for one in do(work_of(node), job, "dispatch", "commitment")] == [True, True]
    now = node.ledger.require(job.id)
    assert (now.state, now.reason) == (JobState.COMMITTED, "")


def test_unknown_error_is_recorded_without_its_text(node: JobNode) -> None:
    def load(_name: str) -> Pipeline:
        raise ValueError("Doe^Jane")

    work, job = work_of(node, load), node.make_job(4)
    do(work, job, "gate", "translate")
    reason = node.ledger.require(job.id).reason
    assert "ValueError" in reason
    assert "Jane" not in reason


def test_derived_objects_that_are_gone_are_not_sent(node: JobNode, scp: StorageSCP) -> None:
    work, job = work_of(node), node.make_job(4)
    do(work, job, *MAKING)
    shutil.rmtree(node.folder / "data" / "jobs" / job.id)  # or another disk than the others'
    assert do(work_of(node), job, "dispatch") == [Outcome(go_on=False)]
    now = node.ledger.require(job.id)
    assert now.state is JobState.FAILED
    assert "there are none here" in now.reason
    node.ledger.retry(job.id)
    again = node.ledger.require(job.id)
    do(work_of(node), again, *MAKING, "dispatch")
    assert node.ledger.require(job.id).state is JobState.SENT
    assert len(scp.stored) == 6


def test_many_threads_ask_for_folders(node: JobNode) -> None:
    work, errors = work_of(node), []

    def ask(part: int) -> None:
        try:
            for number in range(3000):
                work.folder(f"{part}-{number % 7}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(part,)) for part in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert not errors


def test_an_old_run_says_nothing_about_a_new_one(tmp_path: Path) -> None:
    runs: list[Job] = []

    def refuse(count: int, _event: evt.Event) -> int:
        if count == 3:  # a person starts the job again while its old run is sent
            made.ledger.cancel(runs[0].id)
            runs.append(made.ledger.retry(runs[0].id))
        return 0xA900 if count < 4 else 0

    with storage_scp(refuse) as scp, job_node(tmp_path, scp) as made:
        runs.append(made.make_job(4))
        delivery_work = work_of(made)
        do(delivery_work, runs[0], *MAKING)
        assert do(delivery_work, runs[0], "dispatch") == [Outcome(go_on=False)]
        now = made.ledger.require(runs[0].id)
        assert (now.state, now.run, now.reason) == (JobState.QUEUED, 1, "")
        do(work_of(made), now, *MAKING, "dispatch")
        assert made.ledger.require(now.id).state is JobState.SENT


def test_unconfirmed_by_one_destination_while_another_waits(node: JobNode) -> None:
    (peer,) = node.config.peers
    down = peer.model_copy(update={"name": "archive", "port": free_port()})
    config = node.config.model_copy(update={"peers": (peer, down)})
    pipelines = WarmPipelines(smoothing)
    work = JobWork(config, node.database, pipelines, lambda: True)
    job = node.make_job(4, destinations=["pacs", "archive"])
    do(work, job, *MAKING, "dispatch")
    assert work.attempt("dispatch", Work(job.id, 0, 1, "archive")).wait_s is not None
    (unconfirmed,) = do(work, job, "commitment")  # this peer is not to be asked at all
    now = node.ledger.require(job.id)
    assert (now.state, now.finished) == (JobState.WRITTEN, None)  # the archive has nothing yet
    assert unconfirmed.wait_s == config.jobs.backoff_limit_s
    node.ledger.update(job.id, state=JobState.SENT)  # then the archive took it
    assert do(work, job, "commitment") == [Outcome(go_on=False)]
    now = node.ledger.require(job.id)
    assert now.state is JobState.SENT
    assert now.finished


def test_a_check_that_ends_late_takes_nothing_back(node: JobNode) -> None:
    """Its worker hung and was taken for dead: another one has checked and sent meanwhile."""

    def meanwhile() -> bool:
        if node.ledger.require(job.id).state is JobState.RUNNING:
            do(work_of(node), job, "check", "dispatch")
        return True

    job = node.make_job(4)
    do(work_of(node), job, "gate", "translate", "write")
    late = JobWork(node.config, node.database, WarmPipelines(smoothing), meanwhile)
    assert do(late, job, "check") == [Outcome(go_on=False)]
    assert node.ledger.require(job.id).state is JobState.SENT


def test_what_was_checked_is_sent_again_though_its_sources_are_gone(
    node: JobNode, scp: StorageSCP
) -> None:
    """Committed, its sources deleted, then lost by the destination; and a person retries."""
    job = node.make_job(4)
    do(work_of(node), job, *MAKING)
    with node.database.begin() as connection:
        connection.execute(instances.update().values(deleted=datetime.now(UTC)))
    shutil.rmtree(node.config.node.data_dir / "spool")
    node.ledger.update(job.id, state=JobState.FAILED)
    again = node.ledger.retry(job.id)
    outcomes = do(work_of(node), again, *MAKING, "dispatch")
    assert all(outcome.go_on for outcome in outcomes), node.ledger.require(job.id).reason
    assert len(scp.stored) == 6


def test_what_was_not_checked_needs_its_sources(node: JobNode) -> None:
    job = node.make_job(4)
    do(work_of(node), job, "gate", "translate", "write")
    shutil.rmtree(node.config.node.data_dir / "spool")
    assert not do(work_of(node), job, "check")[0].go_on
