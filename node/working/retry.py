"""What to do after an error: try again, when, or give up. Pure: values in, a decision out."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests
import sqlalchemy as sa

from dicom_profiles.errors import ProfileError
from node.config import JobSettings
from node.dispatch.errors import DestinationUnavailable, InstancesLost
from node.errors import NodeError
from pipelines.errors import PipelineError

PERMANENT: tuple[type[BaseException], ...] = (
    NodeError,
    ValueError,  # profiles and pipelines raise these for input that will stay as it is
    TypeError,
    LookupError,
    AttributeError,
    NotImplementedError,
    FileNotFoundError,
    PermissionError,
    sa.exc.ProgrammingError,
)
"""Errors that the same attempt will meet again."""

TRANSIENT: tuple[type[BaseException], ...] = (
    DestinationUnavailable,
    InstancesLost,
    requests.RequestException,
)
"""Errors that may have passed the next time, though their kind is permanent. So may every error
that is not in `PERMANENT`: no space on a disk, a database that is away, a device out of memory."""

OUR_OWN = (NodeError, ProfileError, PipelineError)
"""Errors whose sentences are ours: facts without patient attributes."""

ROOT = Path(__file__).parents[1]
PACKAGES = ("node", "pipelines", "dicom_profiles")


@dataclass(frozen=True)
class RetryDecision:
    """What follows an error.

    Attributes:
        wait_s: seconds until the next attempt; None when there is none.
        reason: one sentence for whoever looks at the job.
    """

    wait_s: float | None
    reason: str


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed; an error that nobody foresaw gets its tries."""
    return isinstance(error, TRANSIENT) or not isinstance(error, PERMANENT)


def decide(
    error: BaseException,
    attempt: int,
    settings: JobSettings,
    uniform: Callable[[float, float], float] = random.uniform,
) -> RetryDecision:
    """Decide after a failed attempt.

    The wait grows exponentially with full jitter: anything from nothing to the present ceiling,
    so that many jobs that failed together do not come back together. A destination that is away
    uses up no tries but time: an archive is taken down for a night now and then.

    Args:
        error: what the attempt ended with.
        attempt: the number of that attempt, from 1.
        settings: tries and waits.
        uniform: draws a number between two others.
    """
    sentence = sentence_of(error)
    if not is_transient(error):
        return RetryDecision(None, sentence)
    away = isinstance(error, DestinationUnavailable)
    waited_s = sum(_longest_wait_s(one, settings) for one in range(1, attempt)) / 2  # on average
    if attempt >= settings.max_attempts and not (away and waited_s < settings.destination_wait_s):
        return RetryDecision(None, f"Given up after {attempt} tries. {sentence}")
    wait_s = uniform(0.0, _longest_wait_s(attempt, settings))
    of = "" if away and settings.destination_wait_s else f" of {settings.max_attempts}"
    return RetryDecision(wait_s, f"{sentence} Try {attempt + 1}{of} in {wait_s:.0f} s.")


def _longest_wait_s(attempt: int, settings: JobSettings) -> float:
    """The most that is waited after an attempt."""
    return min(settings.backoff_limit_s, settings.backoff_s * 2.0 ** min(attempt - 1, 60))


def sentence_of(error: BaseException) -> str:
    """The error as a sentence. Text of other people's errors stays out: it may quote a patient."""
    if isinstance(error, OUR_OWN):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"The system says: {error.strerror}."
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(Path(frame.filename))] or frames
    place = f" in {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"An error that nobody foresaw: {type(error).__name__}{place}; report it."


def _is_ours(path: Path) -> bool:
    """Whether a line of code is of this distribution: a library's says little."""
    return any(path.is_relative_to(ROOT / package) for package in PACKAGES)
