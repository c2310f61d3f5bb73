"""Which dates have come already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST_CLOCK = timedelta(hours=14)
"""Local dates run up to this far ahead of UTC."""


def latest_date() -> str:
    """The date where the day began first, as DICOM writes it: a later one lies in the future."""
    return (datetime.now(UTC) + FIRST_CLOCK).strftime("%Y%m%d")
