"""States and verdicts in words for a technologist.

One place for them, so that the overview, the job page and the help text agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from node.jobs.ledger import JobState


@dataclass(frozen=True)
class Wording:
    """How a state is shown: a short word, its tone (a CSS class), a sentence."""

    word: str
    tone: str  # good, busy, wait, attention, refused, quiet
    sentence: str


JOB_WORDING = {
    JobState.QUEUED: Wording(
        "Waiting", "wait", "In the queue; a worker takes it as soon as it can."
    ),
    JobState.RUNNING: Wording("Working", "busy", "A worker is on it."),
    JobState.WRITTEN: Wording("Written", "busy", "The new series is made; it is being sent."),
    JobState.SENT: Wording(
        "Sent", "good", "Every destination has it; storage is not yet confirmed."
    ),
    JobState.COMMITTED: Wording(
        "Done", "good", "Every destination has confirmed that it keeps the new series."
    ),
    JobState.REFUSED: Wording(
        "Not translated",
        "refused",
        "The model may not be used for this series; the acquired images are untouched.",
    ),
    JobState.HELD: Wording(
        "Needs a person",
        "attention",
        "The result was made, but something about it looks wrong. Look at it, then release or "
        "cancel it.",
    ),
    JobState.FAILED: Wording(
        "Failed",
        "attention",
        "It did not succeed and is not tried again by itself. When what the reason names is "
        "mended, try it again.",
    ),
    JobState.CANCELLED: Wording("Cancelled", "quiet", "A person stopped it."),
}

SERIES_WORDING = {
    "RECEIVING": Wording("Receiving", "busy", "Images are arriving, or more may still come."),
    "COMPLETE": Wording("Complete", "busy", "All images are here; the rules are being asked."),
    "ROUTED": Wording("Taken", "busy", "A rule took it; the job says how far it is."),
    "UNROUTED": Wording("Not for us", "refused", "No rule takes this series."),
    "REFUSED": Wording("Not translated", "refused", "The gate refuses this series."),
}

VERDICT_WORDING = {
    "GREEN": Wording(
        "Green",
        "good",
        "The input is of the kind that the model knows, and the result is consistent with it.",
    ),
    "AMBER": Wording(
        "Amber", "attention", "Something is unusual; look at the pictures before relying on it."
    ),
    "RED": Wording("Red", "bad", "The result must not be used unless a person has looked at it."),
    "UNGATED": Wording(
        "Ungated", "bad", "Made without the gate, for research; it does not leave the node."
    ),
}

EVIDENCE_KINDS = {
    "forced": "A person's word",
    "peer_count": "Count of the sender",
    "performed_step": "List of the scanner's procedure step",
    "image_count": "Count announced by the scanner",
    "no_gap": "No gap in the slice positions, then quiet",
    "released": "Association released, then quiet",
    "quiet": "Quiet time",
    "limit": "Time limit",
    "folder": "The folder is all there is",
}


ERROR_TITLES = {
    HTTPStatus.BAD_REQUEST: "Not understood",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not a page",
    HTTPStatus.CONFLICT: "Not possible now",
}
"""For people; a conflict is something else on these pages."""


def error_title(status_code: int) -> str:
    """The heading of a page that says what went wrong."""
    status = HTTPStatus(status_code)
    return ERROR_TITLES.get(status, status.phrase)


def job_wording(state: str) -> Wording:
    """The words for a job's state."""
    return JOB_WORDING[JobState(state)]


def series_wording(state: str) -> Wording:
    """The words for a series' state; a state that is new to us is shown by its name."""
    return SERIES_WORDING.get(state) or Wording(state.capitalize(), "quiet", "")


def verdict_wording(verdict: str) -> Wording:
    """The words for a quality verdict."""
    return VERDICT_WORDING.get(verdict) or Wording(verdict.capitalize() or "None", "quiet", "")


def evidence_kind(kind: str) -> str:
    """The words for a kind of evidence; one that is new to us is shown by its name."""
    return EVIDENCE_KINDS.get(kind) or kind.replace("_", " ").capitalize()
