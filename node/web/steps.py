"""Where a series is now: the strip of steps from the first image to the PACS' confirmation.

Pure: takes the states of a series and of its job, returns what the page draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class StepState(StrEnum):
    """How far one step is."""

    DONE = "done"  # behind us
    NOW = "now"  # under way
    WAITING = "waiting"  # its turn has not come
    STOPPED = "stopped"  # the way ends here: refused, held, failed, cancelled
    SKIPPED = "skipped"  # never reached, because the way ended before


@dataclass(frozen=True)
class StepKind:
    """One station of the data's way."""

    name: str
    label: str
    help: str


STEPS = (
    StepKind("received", "Received", "Images are stored safely as they arrive."),
    StepKind("complete", "Complete", "Evidence says that the series has all of its images."),
    StepKind("routed", "Routed", "The rules decide which virtual scanner takes the series."),
    StepKind("gate", "Gate", "Is this series within what the model was made for?"),
    StepKind("translate", "Translate", "The model computes the new images."),
    StepKind("write", "Write", "New DICOM images are written, labelled SYNTHETIC."),
    StepKind("check", "Check", "Every new image is checked before it may leave."),
    StepKind("sent", "Sent", "The new series goes to its destinations."),
    StepKind("committed", "Confirmed", "The destination confirms that it keeps the images."),
)
ORDER = {kind.name: index for index, kind in enumerate(STEPS)}

# The worker's names of its steps, where they differ from those of the strip.
WORKER_STEPS = {"dispatch": "sent", "commitment": "committed"}

STOPPED_STATES = frozenset({"REFUSED", "HELD", "FAILED", "CANCELLED"})
WAITING_FOR_ROUTE = frozenset({"RECEIVING", "COMPLETE"})


@dataclass(frozen=True)
class JobProgress:
    """What the strip needs of a job.

    Attributes:
        state: of the job.
        step: the worker's name of the one that it is in.
        progress: 0 to 1 within that step.
        timings: seconds of each step.
        ended: whether nothing more happens by itself.
    """

    state: str
    step: str = ""
    progress: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True)
class Step:
    """One step as it is drawn."""

    kind: StepKind
    state: StepState
    progress: float | None = None  # 0 to 1, only where it is known
    seconds: float | None = None


def strip(series_state: str, job: JobProgress | None) -> tuple[Step, ...]:
    """The steps of a series, with its job where it has one."""
    if job is None:
        return _before_job(series_state)
    current, state = _position(job)
    return tuple(_step(index, current, state, job) for index in range(len(STEPS)))


def current_step(steps: tuple[Step, ...]) -> Step:
    """The step that the eye should go to: the one under way or stopped, else the last one done."""
    for step in steps:
        if step.state in (StepState.NOW, StepState.STOPPED):
            return step
    return [step for step in steps if step.state is StepState.DONE][-1]


def _before_job(series_state: str) -> tuple[Step, ...]:
    if series_state == "RECEIVING":
        position, state = ORDER["received"], StepState.NOW
    elif series_state in WAITING_FOR_ROUTE:
        position, state = ORDER["routed"], StepState.NOW
    else:
        position, state = ORDER["routed"], StepState.STOPPED
    return tuple(Step(STEPS[i], _relative(i, position, state)) for i in range(len(STEPS)))


def _position(job: JobProgress) -> tuple[int, StepState]:
    """Index of the step where the job is, and how that step stands."""
    name = WORKER_STEPS.get(job.step, job.step)
    if job.state == "COMMITTED":
        return ORDER["committed"], StepState.DONE
    if job.state == "SENT":
        return ORDER["committed"], StepState.STOPPED if job.ended else StepState.NOW
    if job.state == "WRITTEN":
        return max(ORDER.get(name, 0), ORDER["sent"]), StepState.NOW
    if job.state in STOPPED_STATES:
        return ORDER.get(name, ORDER["gate"]), StepState.STOPPED
    if job.state == "QUEUED":
        return ORDER["gate"], StepState.WAITING
    return ORDER.get(name, ORDER["gate"]), StepState.NOW


def _step(index: int, current: int, state: StepState, job: JobProgress) -> Step:
    kind = STEPS[index]
    relative = _relative(index, current, state)
    is_at_work = relative is StepState.NOW and WORKER_STEPS.get(job.step, job.step) == kind.name
    progress = job.progress if is_at_work and job.progress > 0 else None
    return Step(kind, relative, progress, _seconds(kind.name, job.timings))


def _relative(index: int, current: int, state: StepState) -> StepState:
    if index < current:
        return StepState.DONE
    if index == current:
        return state
    return StepState.SKIPPED if state is StepState.STOPPED else StepState.WAITING


def _seconds(name: str, timings: Mapping[str, float]) -> float | None:
    names = [worker for worker, ours in WORKER_STEPS.items() if ours == name] or [name]
    found = [timings[each] for each in names if each in timings]
    return sum(found) if found else None
