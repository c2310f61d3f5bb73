"""The strip: one table of states to what is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.assembling.assembly import SeriesState
from node.jobs.ledger import JobState
from node.web.steps import STEPS, JobProgress, StepState, current_step, strip

LETTERS = {
    StepState.DONE: "d",
    StepState.NOW: "N",
    StepState.WAITING: ".",
    StepState.STOPPED: "X",
    StepState.SKIPPED: "-",
}


def drawn(series_state: str, job: JobProgress | None = None) -> str:
    return "".join(LETTERS[step.state] for step in strip(series_state, job))


@pytest.mark.parametrize(
    ("state", "wanted"),
    [("RECEIVING", "N........"), ("COMPLETE", "ddN......"), ("UNROUTED", "ddX------")],
)
def test_a_series_without_a_job(state: str, wanted: str) -> None:
    assert drawn(state) == wanted


@pytest.mark.parametrize(
    ("state", "step", "wanted"),
    [
        ("QUEUED", "", "ddd......"),
        ("RUNNING", "", "dddN....."),
        ("RUNNING", "gate", "dddN....."),
        ("RUNNING", "translate", "ddddN...."),
        ("RUNNING", "write", "dddddN..."),
        ("RUNNING", "check", "ddddddN.."),
        ("WRITTEN", "check", "dddddddN."),
        ("WRITTEN", "dispatch", "dddddddN."),
        ("SENT", "commitment", "ddddddddN"),
        ("SENT", "dispatch", "ddddddddN"),
        ("COMMITTED", "commitment", "ddddddddd"),
        ("REFUSED", "", "dddX-----"),
        ("REFUSED", "gate", "dddX-----"),
        ("HELD", "check", "ddddddX--"),
        ("FAILED", "translate", "ddddX----"),
        ("FAILED", "dispatch", "dddddddX-"),
        ("CANCELLED", "", "dddX-----"),
    ],
)
def test_a_series_with_a_job(state: str, step: str, wanted: str) -> None:
    assert drawn("ROUTED", JobProgress(state, step)) == wanted


def test_progress_and_seconds_stand_at_their_steps() -> None:
    timings = {"gate": 0.5, "dispatch": 2.0, "commitment": 3.0}
    steps = strip("ROUTED", JobProgress("RUNNING", "translate", 0.25, timings))
    by_name = {step.kind.name: step for step in steps}
    assert by_name["translate"].progress == 0.25
    assert [by_name[name].seconds for name in ("gate", "sent", "committed")] == [0.5, 2.0, 3.0]
    assert by_name["write"].seconds is None
    assert [step.kind.name for step in steps if step.progress is not None] == ["translate"]


@pytest.mark.parametrize(("state", "step"), [("WRITTEN", "check"), ("SENT", "dispatch")])
def test_the_progress_of_a_step_is_not_that_of_the_next(state: str, step: str) -> None:
    assert {each.progress for each in strip("ROUTED", JobProgress(state, step, 1.0))} == {None}


def test_what_cannot_be_confirmed_is_waited_for_no_longer() -> None:
    assert drawn("ROUTED", JobProgress("SENT", "commitment", ended=True)) == "ddddddddX"


def test_a_step_that_has_just_begun_has_no_progress() -> None:
    assert {step.progress for step in strip("ROUTED", JobProgress("RUNNING", "write"))} == {None}


@pytest.mark.parametrize(
    ("state", "job", "name"),
    [
        ("RECEIVING", None, "received"),
        ("UNROUTED", None, "routed"),
        ("ROUTED", JobProgress("QUEUED"), "routed"),
        ("ROUTED", JobProgress("RUNNING", "write"), "write"),
        ("ROUTED", JobProgress("FAILED", "dispatch"), "sent"),
        ("ROUTED", JobProgress("COMMITTED", "commitment"), "committed"),
    ],
)
def test_the_eye_goes_to_the_step_under_way(state: str, job: JobProgress | None, name: str) -> None:
    assert current_step(strip(state, job)).kind.name == name


@given(
    st.sampled_from([str(s) for s in SeriesState]),
    st.none()
    | st.builds(
        JobProgress,
        st.sampled_from([str(s) for s in JobState]),
        st.sampled_from(
            ["", "gate", "translate", "write", "check", "dispatch", "commitment", "odd"]
        ),
        st.floats(0, 1),
    ),
)
def test_every_state_draws_all_steps_in_order(state: str, job: JobProgress | None) -> None:
    steps = strip(state, job)
    assert [step.kind for step in steps] == list(STEPS)
    states = [step.state for step in steps]
    done = states.count(StepState.DONE)
    assert states[:done] == [StepState.DONE] * done  # nothing is done after something undone
    assert sum(s in (StepState.NOW, StepState.STOPPED) for s in states) <= 1
    assert current_step(steps) in steps
