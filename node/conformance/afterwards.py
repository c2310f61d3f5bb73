"""What the conformance statement says of what follows storing: commitment, steps, queries."""

from __future__ import annotations

from collections.abc import Iterator

from node.assembling.assembly import ASK_AGAIN_S, QUESTION_S, SETTLE_S
from node.assembling.query import ANSWER_TIMEOUT_S
from node.config import Config


def afterwards(config: Config) -> Iterator[str]:
    """Sections 4.4 to 4.6: commitment, performed steps, queries."""
    yield from _commitment(config)
    yield from _performed_steps()
    yield from _query()


def _commitment(config: Config) -> Iterator[str]:
    wait_s = config.jobs.commitment_timeout_s
    yield "### 4.4 Storage Commitment Push Model SCU"
    yield ""
    yield "N-ACTION (Action Type 1) with a Transaction UID of its own for each job and destination."
    yield "The N-EVENT-REPORT is taken on a new association that the peer opens, with role"
    yield f"selection (SCP). Without a report within {wait_s:g} s, or without the service, the"
    yield "destination's index is asked by C-FIND (or QIDO-RS). Received instances are deleted"
    yield "only after commitment."
    yield ""
    yield "A report of success (Event Type 1) counts for the instances that it names. Where it"
    yield "leaves some out, or a report of failure names none of ours, the index is asked. A"
    yield "failure that is reported after a job was over is a warning: the index is asked, what it"
    yield "lacks is sent again; where it lacks nothing, the job says that the two do not agree."
    yield ""


def _performed_steps() -> Iterator[str]:
    yield "### 4.5 Modality Performed Procedure Step SCP"
    yield ""
    yield "N-CREATE (IN PROGRESS) and N-SET are taken from peers that may call. Kept are the state"
    yield "and, by series, how many instances the step lists; an ended step's list is evidence that"
    yield "a series is complete. `0106H` status value not allowed, `0110H` the step had ended,"
    yield "`0111H` it exists already, `0112H` it is unknown. Nothing is forwarded."
    yield ""


def _query() -> Iterator[str]:
    yield "### 4.6 Query SCU (C-FIND, study root)"
    yield ""
    yield "Level SERIES with Number of Series Related Instances (0020,1209), which the peer may"
    yield "leave out: then level IMAGE. Asked when no image of a series has come for"
    yield f"{SETTLE_S:g} s; given up after {ANSWER_TIMEOUT_S:g} s (the decision waits"
    yield f"{QUESTION_S:g} s at most); asked again every {ASK_AGAIN_S:g} s while some are missing."
    yield ""
    yield "`vscanner train --from PEER` asks at the levels STUDY and SERIES, and fetches series by"
    yield "C-GET (Storage SCP on the association that it opened) or WADO-RS; a person starts it."
    yield "What it keeps is de-identified by the Basic Application Level Confidentiality Profile"
    yield "(PS3.15 E); of PET also weight (113108) and times moved to another day (113107)."
