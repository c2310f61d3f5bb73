"""The states of a storage commitment transaction, and which of them a report leads to."""

from __future__ import annotations

from enum import StrEnum


class CommitmentState(StrEnum):
    """Where a storage commitment transaction is."""

    ASKED = "ASKED"  # the peer has been asked, its report is awaited
    COMMITTED = "COMMITTED"  # the peer keeps every instance
    FAILED = "FAILED"  # the peer does not keep some; `failed` says which and why
    EXPIRED = "EXPIRED"  # no report came in time, or a late one is dealt with
    CONTRADICTED = "CONTRADICTED"  # a failure came after that; see `node.working.doubts`


def state_after(known: str | None, whole: bool) -> CommitmentState:
    """The state of a transaction after a report: all is committed, or something failed.

    Args:
        known: its state before; None where nobody knows of it.
        whole: whether the report says that all is committed.
    """
    state = CommitmentState
    if whole:
        return state.CONTRADICTED if known == state.CONTRADICTED else state.COMMITTED
    return state.FAILED if known in (state.ASKED, state.FAILED, None) else state.CONTRADICTED
