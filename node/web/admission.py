"""Waiting for what has just come: the index knows an image a moment after its Success.

Who sends a series and asks for it at once is not told that it is unknown, and a series that is
taken as complete has every image that came before.
"""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic, sleep

from node.spool import Spool

LONGEST_S = 2.0
"""Admission takes some hundredths of a second; where it stands still nobody waits for it."""
LOOK_S = 0.02


def await_admission(spool: Spool) -> None:
    """Wait until the index knows whatever was received before now, but not for long."""
    asked, give_up = datetime.now(UTC), monotonic() + LONGEST_S
    while spool.admitted_until(asked) < asked and monotonic() < give_up:
        sleep(LOOK_S)
