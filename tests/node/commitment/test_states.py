from __future__ import annotations

import pytest

from node.commitment.states import CommitmentState, state_after

STATE = CommitmentState


@pytest.mark.parametrize(
    ("known", "whole", "wanted"),
    [
        (STATE.ASKED, True, STATE.COMMITTED),
        (STATE.FAILED, True, STATE.COMMITTED),
        (STATE.CONTRADICTED, True, STATE.CONTRADICTED),  # a worker looks into it first
        (STATE.ASKED, False, STATE.FAILED),
        (STATE.FAILED, False, STATE.FAILED),
        (None, False, STATE.FAILED),
        (STATE.COMMITTED, False, STATE.CONTRADICTED),
        (STATE.EXPIRED, False, STATE.CONTRADICTED),
        (STATE.CONTRADICTED, False, STATE.CONTRADICTED),
    ],
)
def test_a_failure_after_the_end_is_a_doubt(
    known: CommitmentState | None, whole: bool, wanted: CommitmentState
) -> None:
    assert state_after(known, whole) is wanted
