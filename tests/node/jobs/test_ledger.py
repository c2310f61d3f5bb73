from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import NodeSettings
from node.database.tables import instances, jobs, open_database
from node.jobs.ledger import (
    JobLedger,
    JobRequest,
    JobState,
    UnknownJob,
    UnknownSource,
    WrongJobState,
)
from node.jobs.states import CANCELLABLE, RETRIABLE, TRANSITIONS, UNDER_WAY
from tests.node.jobs.test_records import REQUEST, UIDS
from tests.node.query_plans import asked


def add_instances(database: Engine, uids: list[str], digest: str = "d") -> None:
    rows = [
        {
            "sop_instance_uid": uid,
            "series_instance_uid": "1.2.8",
            "study_instance_uid": "1.2.9",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "source_ae": "ORTHANC",
            "received": datetime.now(UTC),
            "path": f"spool/{uid}.dcm",
            "size_bytes": 1,
            "sha256": digest * 64,
            "attributes": {},
        }
        for uid in uids
    ]
    with database.begin() as connection:
        connection.execute(instances.insert(), rows)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    add_instances(engine, UIDS)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(database: Engine) -> JobLedger:
    return JobLedger(database)


def put(ledger: JobLedger, id_: str, state: JobState) -> None:
    with ledger.database.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == id_).values(state=str(state)))


def test_same_inputs_are_one_job(ledger: JobLedger) -> None:
    first, made = ledger.create(REQUEST)
    again, made_again = ledger.create(replace(REQUEST, route="other", evidence={}, revision=2))
    assert (made, made_again) == (True, False)
    assert again == first
    assert first.state is JobState.QUEUED
    assert first.run == 0


def test_a_job_is_what_was_asked_for(ledger: JobLedger) -> None:
    asked = replace(REQUEST, revision=2, priority="high", parameters={"strength": 0.5})
    job, _ = ledger.create(asked, JobState.REFUSED, "It is not axial.")
    assert (job.state, job.reason) == (JobState.REFUSED, "It is not axial.")
    names = {field.name for field in fields(JobRequest)} - {"priority"}
    assert {name: getattr(job, name) for name in names} == {
        name: getattr(asked, name) for name in names
    }
    assert job.priority == 1


@pytest.mark.parametrize(
    "change",
    [
        {"sources": {"CT": UIDS[:2]}},
        {"model": "ldct_denoise@1.1.0"},
        {"weights_sha256": "cd" * 32},
        {"parameters": {"strength": 0.5}},
        {"pipeline": "ct_harmonize"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_inputs_are_another_job(ledger: JobLedger, change: dict[str, object]) -> None:
    first, _ = ledger.create(REQUEST)
    second, made = ledger.create(replace(REQUEST, **change))  # type: ignore[arg-type]
    assert made
    assert second.id != first.id


def test_two_processes_make_one_job(ledger: JobLedger) -> None:
    barrier, made = threading.Barrier(4), []

    def create() -> None:
        barrier.wait()
        made.append(ledger.create(REQUEST)[1])

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]


def test_unknown_source_is_refused(ledger: JobLedger) -> None:
    add_instances(ledger.database, ["1.2.4"])  # of no interest here
    with pytest.raises(UnknownSource, match="found 3 of 4"):
        ledger.create(replace(REQUEST, sources={"CT": [*UIDS, "9.9"]}))


def test_many_sources(ledger: JobLedger) -> None:
    uids = [f"1.9.{i}" for i in range(2000)]
    add_instances(ledger.database, uids)
    job, _ = ledger.create(replace(REQUEST, sources={"CT": uids}))
    assert len(job.sources["CT"]) == 2000


@pytest.mark.parametrize(("before", "after"), [*itertools.product(JobState, JobState)])
def test_only_the_table_of_transitions(
    ledger: JobLedger, before: JobState, after: JobState
) -> None:
    job, _ = ledger.create(REQUEST)
    put(ledger, job.id, before)
    if before is after or after in TRANSITIONS[before]:
        ledger.update(job.id, state=after)
        assert ledger.require(job.id).state is after
    else:
        with pytest.raises(WrongJobState, match=before):
            ledger.update(job.id, state=after)


@pytest.mark.parametrize("state", list(JobState))
def test_retry_release_and_cancel(ledger: JobLedger, state: JobState) -> None:
    job, _ = ledger.create(REQUEST)
    allowed = {"retry": RETRIABLE, "release": {JobState.HELD}, "cancel": CANCELLABLE}
    for action, states in allowed.items():
        put(ledger, job.id, state)
        ledger.update(job.id, step="check")
        run = ledger.require(job.id).run
        if state not in states:
            with pytest.raises(WrongJobState):
                getattr(ledger, action)(job.id)
        elif action == "cancel":
            cancelled = ledger.cancel(job.id)
            assert cancelled.state is JobState.CANCELLED
            assert cancelled.finished
            assert cancelled.reason == "A person cancelled this job."
        else:
            after = getattr(ledger, action)(job.id)
            assert (after.state, after.run) == (JobState.QUEUED, run + 1)
            assert after.accept_held is (action == "release")


def test_who_releases_a_job_that_was_never_begun_has_not_seen_its_result(
    ledger: JobLedger,
) -> None:
    job, _ = ledger.create(REQUEST, JobState.HELD, "Is it in phase?")
    after = ledger.release(job.id)
    assert (after.state, after.accept_held) == (JobState.QUEUED, False)


def test_waiting_in_order_of_urgency(ledger: JobLedger) -> None:
    for uid, priority in zip(UIDS, ("low", "high", "normal"), strict=True):
        ledger.create(replace(REQUEST, sources={"CT": [uid]}, priority=priority))
    waiting = ledger.waiting()
    assert [job.priority for job in waiting] == [1, 2, 3]
    assert ledger.waiting(limit=1) == waiting[:1]
    ledger.mark_begun(waiting[0])
    assert [job.priority for job in ledger.waiting()] == [2, 3]
    ledger.cancel(waiting[2].id)
    assert [job.priority for job in ledger.waiting()] == [2]
    ledger.retry(waiting[2].id)
    ledger.cancel(waiting[0].id)
    ledger.retry(waiting[0].id)
    assert [job.priority for job in ledger.waiting()] == [1, 2, 3]


def test_only_the_job_that_is_meant_changes(ledger: JobLedger) -> None:
    job, other = (ledger.create(replace(REQUEST, sources={"CT": [uid]}))[0] for uid in UIDS[:2])
    ledger.mark_begun(job)
    ledger.update(job.id, state=JobState.RUNNING)
    ledger.cancel(job.id)
    ledger.retry(job.id)
    put(ledger, job.id, JobState.HELD)
    ledger.release(job.id)
    ledger.run_again(ledger.require(job.id))
    ledger.deliver_again(ledger.require(job.id), "")
    ledger.give_up(ledger.require(job.id), "")
    assert ledger.require(job.id).run == 4
    assert ledger.require(other.id) == other


ALSO = jobs.update().values(route="also")
"""What else is changed at the same moment."""


def test_a_job_that_lost_its_workflow_runs_again(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    ledger.update(job.id, state=JobState.RUNNING, step="write", attempts=3, progress=0.5)
    before = ledger.require(job.id)
    ledger.mark_begun(before)
    after = ledger.run_again(before, "It was lost.", ALSO)
    assert (after.state, after.run, after.reason) == (JobState.QUEUED, 1, "It was lost.")
    assert (after.step, after.attempts, after.progress) == ("", 0, 0.0)
    assert after.route == "also"
    assert not after.has_begun
    with pytest.raises(WrongJobState, match="cannot be run again: it is QUEUED"):
        ledger.run_again(before, "once more", jobs.update().values(route="twice"))
    assert ledger.require(job.id) == after


def test_what_was_over_is_delivered_again(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    put(ledger, job.id, JobState.COMMITTED)
    before = ledger.require(job.id)
    after = ledger.deliver_again(before, "Some was lost.", ALSO)
    assert (after.state, after.run, after.finished) == (JobState.WRITTEN, 1, None)
    assert (after.reason, after.route) == ("Some was lost.", "also")
    assert after.has_begun  # nobody is to make it once more
    with pytest.raises(WrongJobState, match="sent again"):
        ledger.deliver_again(before, "once more")
    put(ledger, job.id, JobState.FAILED)
    assert not ledger.retry(job.id).has_begun  # a worker takes it up


def test_what_was_over_fails_unless_it_has_gone_on(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    put(ledger, job.id, JobState.COMMITTED)
    before = ledger.require(job.id)
    other, _ = ledger.create(replace(REQUEST, sources={"CT": UIDS[:1]}))
    put(ledger, other.id, JobState.COMMITTED)
    ledger.give_up(before, "Lost again and again.")
    assert ledger.require(other.id).state is JobState.COMMITTED
    failed = ledger.require(job.id)
    assert (failed.state, failed.reason) == (JobState.FAILED, "Lost again and again.")
    assert failed.finished
    ledger.retry(job.id)
    ledger.give_up(before, "late")
    assert ledger.require(job.id).state is JobState.QUEUED


def test_what_is_under_way_and_what_is_not(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    found = {}
    for state in JobState:
        put(ledger, job.id, state)
        found[state] = [one.id for one in ledger.under_way()]
    assert {state for state, ids in found.items() if ids} == UNDER_WAY
    put(ledger, job.id, JobState.SENT)
    ledger.update(job.id, finished=datetime.now(UTC))
    assert not ledger.under_way()  # not to be confirmed: nothing more happens


def test_of_several_runs_only_the_present_one_may_change_the_row(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    put(ledger, job.id, JobState.FAILED)
    ledger.retry(job.id)
    with pytest.raises(WrongJobState):
        ledger.update(job.id, of_run=0, state=JobState.RUNNING)
    ledger.update(job.id, of_run=1, state=JobState.RUNNING)
    ledger.mark_begun(ledger.require(job.id))
    ledger.mark_begun(job)  # of the run before
    assert ledger.require(job.id).has_begun


def test_finished_is_set_and_cleared(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST, JobState.REFUSED, "It is not axial.")
    assert job.finished is not None
    again = ledger.retry(job.id)
    assert (again.finished, again.reason) == (None, "")
    ledger.update(job.id, state=JobState.RUNNING, step="gate")
    assert ledger.require(job.id).finished is None
    ledger.update(job.id, state=JobState.FAILED, reason="gone")
    assert ledger.require(job.id).finished is not None


def test_list_by_state_and_model(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    assert [j.id for j in ledger.list(JobState.QUEUED)] == [job.id]
    assert ledger.list(JobState.FAILED) == []
    assert ledger.list(model="other@1") == []
    assert [j.id for j in ledger.list(model=REQUEST.model)] == [job.id]


def test_the_newest_come_first_a_page_at_a_time(ledger: JobLedger) -> None:
    made = [ledger.create(replace(REQUEST, sources={"CT": [uid]}))[0].id for uid in UIDS]
    assert [job.id for job in ledger.list()] == made[::-1]
    assert [job.id for job in ledger.list(limit=2)] == made[:0:-1]
    assert [job.id for job in ledger.list(limit=2, offset=2)] == made[:1]


@pytest.mark.parametrize("state", [None, JobState.COMMITTED])
def test_the_newest_are_found_without_reading_all(
    ledger: JobLedger, state: JobState | None
) -> None:
    """Rows of jobs stay for good, ten kilobytes each."""
    with asked(ledger.database) as plans:
        ledger.list(state)
    assert plans
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plans)


def test_json_is_the_contract(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    promised = (
        "id state route pipeline model study source_series derived_series destinations revision "
        "attempts reason evidence qc step progress timings created started finished"
    )
    assert set(job.to_json()) == set(promised.split())
    assert job.to_json()["created"].endswith("+00:00")


def test_unknown_job(ledger: JobLedger) -> None:
    assert ledger.get("x") is None
    for action in (ledger.require, ledger.retry, ledger.cancel, ledger.release):
        with pytest.raises(UnknownJob, match="vscanner jobs list"):
            action("x")


def test_the_beginning_of_an_id_is_enough(ledger: JobLedger) -> None:
    job, _ = ledger.create(REQUEST)
    assert ledger.find(job.id[:6]) == job
    for wrong in ("", "zz", "%", job.id + "0"):
        with pytest.raises(UnknownJob):
            ledger.find(wrong)


@pytest.mark.postgresql
def test_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path, database=postgresql))
    with engine.begin() as connection:
        for table in (jobs, instances):
            connection.execute(sa.delete(table))
    add_instances(engine, UIDS)
    ledger = JobLedger(engine)
    job, _ = ledger.create(REQUEST)
    assert ledger.create(REQUEST) == (job, False)
    ledger.update(job.id, state=JobState.RUNNING)
    assert ledger.cancel(job.id).state is JobState.CANCELLED
    engine.dispose()
