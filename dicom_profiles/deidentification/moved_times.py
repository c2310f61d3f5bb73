"""Times of a PET moved to a day that nobody was examined on, with their distances kept.

The decay of the tracer between injection and scan is part of what the pixels mean; the day and the
hour are not. Series Date and Time of the source become noon of 1 January 1900.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from dicom_profiles.errors import ProfileError

NOON = datetime(1900, 1, 1, 12, 0)  # noqa: DTZ001 - DICOM's DA and TM carry no zone
KEPT_TIMES = frozenset({"RadiopharmaceuticalStartTime", "RadiopharmaceuticalStopTime"})
KEPT_DATETIMES = frozenset(
    {"RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStopDateTime", "AcquisitionDateTime"}
    | {"DecayCorrectionDateTime"}
)
PAIRS = {
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "AcquisitionDate": "AcquisitionTime",
    "ContentDate": "ContentTime",
}
DATE_OF = {clock: day for day, clock in PAIRS.items()}


@dataclass(frozen=True)
class Clock:
    """Moves dates and times together.

    Attributes:
        anchor: date and time of the series, which become `NOON`.
    """

    anchor: datetime

    def moved(self, ds: Dataset, element: DataElement) -> DataElement | None:
        """A date or time moved; None for one that is not needed for the decay.

        Args:
            ds: the data set that has the element: a date and its time move as one.
            element: VR DA, TM or DT.
        """
        keyword = element.keyword
        if element.VR not in ("DA", "TM", "DT"):
            return None
        if keyword in KEPT_DATETIMES and element.value:
            value = _datetime(element.value)
            return DataElement(element.tag, "DT", _written(self._at(value), "%Y%m%d%H%M%S.%f"))
        if keyword in KEPT_TIMES and element.value:
            value = datetime.combine(self.anchor.date(), _time(element.value))
            return DataElement(element.tag, "TM", _written(self._at(value), "%H%M%S.%f"))
        day = keyword if keyword in PAIRS else DATE_OF.get(keyword, "")
        whole = _pair(ds, day) if day else None
        if whole is None:
            return None
        form = "%Y%m%d" if element.VR == "DA" else "%H%M%S.%f"
        return DataElement(element.tag, element.VR, _written(self._at(whole), form))

    def _at(self, value: datetime) -> datetime:
        return NOON + (value - self.anchor)


def clock_of(ds: Dataset) -> Clock:
    """The clock of a series.

    Raises:
        ProfileError: Series Date or Time is missing.
    """
    anchor = _pair(ds, "SeriesDate")
    if anchor is None:
        raise ProfileError(
            "A PET needs Series Date and Series Time, else the decay of its tracer is lost."
        )
    return Clock(anchor)


def _pair(ds: Dataset, day: str) -> datetime | None:
    """Date and time of one pair; None when either is missing."""
    if not ds.get(day) or not ds.get(PAIRS[day]):
        return None
    return datetime.combine(_date(ds[day].value), _time(ds[PAIRS[day]].value))


def _date(value: object) -> date:
    try:
        return DA(str(value))
    except ValueError as error:
        raise ProfileError(
            "A PET needs valid dates (PS3.5 6.2, VR DA), got another text."
        ) from error


def _time(value: object) -> time:
    try:
        return TM(str(value))
    except ValueError as error:
        raise ProfileError(
            "A PET needs valid times (PS3.5 6.2, VR TM), got another text."
        ) from error


def _datetime(value: object) -> datetime:
    """Date and time as they stand, the zone left out: those of one series share it."""
    try:
        found = DT(str(value))
    except ValueError as error:
        raise ProfileError(
            "A PET needs valid times (PS3.5 6.2, VR DT), got another text."
        ) from error
    return datetime.combine(found.date(), found.time())


def _written(value: datetime, form: str) -> str:
    """Formatted; without a fraction where it is zero."""
    if value < NOON - timedelta(days=300) or value > NOON + timedelta(days=300):
        raise ProfileError("Dates of one PET lie months apart; they cannot all be right.")
    return value.strftime(form).removesuffix(".000000")
