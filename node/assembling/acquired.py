"""When a stack was acquired, and how far apart two acquisitions were, as well as headers tell.

Pure: headers in, seconds out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from pydicom import Dataset

DAY_S = 86_400.0
DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
TIME = re.compile(r"(\d{2})(\d{2})?(\d{2}(?:\.\d{1,6})?)?")


@dataclass(frozen=True)
class Acquired:
    """The time of an acquisition.

    Attributes:
        seconds: of an arbitrary era.
        dated: the day is that of the acquisition. Otherwise it is the day on which series or study
            began: what began before midnight goes on on the day after, under the same date.
    """

    seconds: float
    dated: bool


def acquired_at(headers: Sequence[Dataset]) -> Acquired | None:
    """Middle of the acquisition times of a stack; None if unknown.

    Acquisition DateTime, else Date and Time (PS3.3 C.7.6.1; a zone, the same within a study, is
    left out), else Time with the date of the series or study.
    """
    found = [moment for header in headers if (moment := _moment(header)) is not None]
    if not found:
        return None
    first = found[0]
    near = [first.seconds + _difference(first, moment) for moment in found]
    return Acquired(median(near), all(moment.dated for moment in found))


def seconds_between(one: Acquired, other: Acquired) -> float:
    """Seconds between two acquisitions; as near as can be where a day is not that of the image."""
    return abs(_difference(one, other))


def _difference(one: Acquired, other: Acquired) -> float:
    """From the one to the other, in seconds."""
    apart = other.seconds - one.seconds
    days = (0.0,) if one.dated and other.dated else (0.0, -DAY_S, DAY_S)
    return min((apart + shift for shift in days), key=abs)


def _moment(header: Dataset) -> Acquired | None:
    joined = str(header.get("AcquisitionDateTime") or "")
    own = joined[:8] or str(header.get("AcquisitionDate") or "")
    begun = str(header.get("SeriesDate") or header.get("StudyDate") or "")
    of_time = TIME.match(joined[8:] or str(header.get("AcquisitionTime") or ""))
    if of_time is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in of_time.groups())
    of_day = hours * 3_600 + minutes * 60 + seconds
    day = _day_number(own)
    dated = day is not None
    return Acquired((day or _day_number(begun) or 0) * DAY_S + of_day, dated)


def _day_number(text: str) -> int | None:
    found = DATE.match(text)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).toordinal() if found else None
    except ValueError:
        return None
