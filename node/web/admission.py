"""Waiting for what has just come: the index knows an image a moment after its Success.

Who sends a series and asks for it at once is not told that it is unknown, and a series that is
taken as complete has every image that came before. Where admission stands still, a full disk of
the database say, images are safe and nothing else shows that they go nowhere.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from node.spool import Spool

LONGEST_S = 2.0
"""Admission takes some hundredths of a second; where it stands still nobody waits for it."""
LOOK_S = 0.02

STANDS_STILL = timedelta(minutes=1)
"""Longer than any crowd of senders keeps an image waiting."""


def await_admission(spool: Spool) -> None:
    """Wait until the index knows whatever was received before now, but not for long."""
    asked, give_up = datetime.now(UTC), monotonic() + LONGEST_S
    while spool.admitted_until(asked) < asked and monotonic() < give_up:
        sleep(LOOK_S)


def waited(spool: Spool, now: datetime) -> timedelta:
    """How long the oldest image that the index does not know has been here; 0 without any."""
    return now - spool.admitted_until(now)


def standstill(spool: Spool, now: datetime) -> str:
    """A sentence where received images are not taken in any more; "" where they are."""
    so_far = waited(spool, now)
    if so_far < STANDS_STILL:
        return ""
    return (
        f"Images received {so_far // timedelta(minutes=1)} min ago are safe, but nobody has taken "
        "them in; the log of the assembler says why."
    )
