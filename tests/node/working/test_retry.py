from __future__ import annotations

import errno

import pytest
import requests
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dicom_profiles.errors import GeometryError
from node.assembling.stacks import split_series
from node.config import JobSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable, InstancesLost
from node.jobs.ledger import UnknownSource
from node.steps.folder import StepError
from node.working.retry import decide, is_transient
from pipelines.errors import WeightsError

SETTINGS = JobSettings(max_attempts=4, backoff_s=2, backoff_limit_s=10, destination_wait_s=0)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (DestinationUnavailable("down"), True),
        (DestinationRefuses("never"), False),
        (UnknownSource("gone"), False),
        (StepError("another model"), False),
        (GeometryError("two slices at one place"), False),
        (WeightsError("another digest"), False),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory"), True),
        (requests.ConnectionError(), True),
        (sa.exc.OperationalError("select", {}, Exception("locked")), True),
        (sa.exc.ProgrammingError("select", {}, Exception("no such column")), False),
        (Exception("nobody foresaw this"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_transient_or_permanent(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient
    assert (decide(error, 1, SETTINGS).wait_s is not None) is transient


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 2), (2, 4), (3, 8)])
def test_ceiling_doubles(attempt: int, ceiling: float) -> None:
    def highest(low: float, high: float) -> float:
        assert low == 0
        return high

    assert decide(DestinationUnavailable("x"), attempt, SETTINGS, highest).wait_s == ceiling


@given(st.integers(1, 10_000))
def test_wait_stays_below_the_limit(attempt: int) -> None:
    settings = JobSettings(max_attempts=100_000, backoff_s=5, backoff_limit_s=600)
    wait_s = decide(DestinationUnavailable("x"), attempt, settings).wait_s
    assert wait_s is not None
    assert 0 <= wait_s <= 600


def test_tries_are_used_up() -> None:
    decision = decide(DestinationUnavailable("The PACS is down."), 4, SETTINGS)
    assert decision.wait_s is None
    assert decision.reason == "Given up after 4 tries. The PACS is down."


def test_a_destination_that_is_away_uses_up_time_and_no_tries() -> None:
    patient = SETTINGS.model_copy(update={"destination_wait_s": 100.0})
    tried = [decide(DestinationUnavailable("x"), n, patient).wait_s for n in range(1, 60)]
    given_up = tried.index(None)
    # half of 2 + 4 + 8 is 7, then 5 s on average for each: 7 + 5 x 19 is past 100
    assert given_up == 3 + 19
    assert decide(OSError(errno.ENOSPC, "No space"), 4, patient).wait_s is None
    assert decide(InstancesLost("x"), 4, patient).wait_s is None
    assert decide(InstancesLost("x"), 3, patient).wait_s is not None
    assert decide(DestinationUnavailable("Down."), 7, patient, lambda _a, b: b).reason == (
        "Down. Try 8 in 10 s."
    )


def test_next_try_is_announced() -> None:
    reason = decide(DestinationUnavailable("Down."), 1, SETTINGS, lambda _a, b: b).reason
    assert reason == "Down. Try 2 of 4 in 2 s."


def test_foreign_text_stays_out() -> None:
    try:
        raise ValueError("Doe^Jane")  # noqa: TRY301 - the traceback is part of the test
    except ValueError as error:
        reason = decide(error, 1, SETTINGS).reason
    assert "Jane" not in reason
    assert reason.startswith("An error that nobody foresaw: ValueError in test_retry.py:")


def test_the_place_of_an_error_is_in_our_own_code() -> None:
    try:
        split_series([None])  # type: ignore[list-item]
    except AttributeError as error:
        reason = decide(error, 1, SETTINGS).reason
    assert reason.startswith("An error that nobody foresaw: AttributeError in stacks.py:")


def test_full_disk_in_words() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert "No space left on device" in decide(error, 1, SETTINGS).reason
