from __future__ import annotations

from node.jobs.states import CANCELLABLE, FINAL, RETRIABLE, TRANSITIONS, UNDER_WAY, JobState


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(JobState)


def test_committed_is_for_ever() -> None:
    assert TRANSITIONS[JobState.COMMITTED] == frozenset()


def test_every_state_can_be_reached_from_the_queue() -> None:
    reached, frontier = {JobState.QUEUED}, [JobState.QUEUED]
    while frontier:
        new = TRANSITIONS[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert reached == set(JobState)


def test_a_job_is_final_or_goes_on() -> None:
    assert set(JobState) == FINAL | UNDER_WAY
    assert not FINAL & UNDER_WAY


def test_a_person_can_only_do_what_the_table_allows() -> None:
    assert all(JobState.QUEUED in TRANSITIONS[state] for state in RETRIABLE)
    assert all(JobState.CANCELLED in TRANSITIONS[state] for state in CANCELLABLE)
