from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicom_profiles.deidentification.moved_times import NOON, clock_of
from dicom_profiles.errors import ProfileError

EARLIEST, LATEST = NOON.replace(year=1990), NOON.replace(year=2035)
MORNING = NOON.replace(year=2024, month=5, day=6, hour=10, minute=30)


def examined(at: datetime, **attributes: str) -> Dataset:
    """A PET's header whose series began then."""
    ds = Dataset()
    ds.SeriesDate, ds.SeriesTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def moved(ds: Dataset, keyword: str) -> str:
    """An attribute as the series' clock moves it."""
    element = clock_of(ds).moved(ds, ds[keyword])
    assert element is not None
    return str(element.value)


@given(
    st.datetimes(EARLIEST, LATEST),
    st.integers(-36 * 3600, 36 * 3600),
)
def test_distances_are_kept_and_the_day_is_not(at: datetime, apart_s: int) -> None:
    at = at.replace(microsecond=0)
    other = at + timedelta(seconds=apart_s)
    ds = examined(
        at,
        AcquisitionDate=other.strftime("%Y%m%d"),
        AcquisitionTime=other.strftime("%H%M%S"),
        DecayCorrectionDateTime=other.strftime("%Y%m%d%H%M%S"),
    )
    assert moved(ds, "SeriesDate") + moved(ds, "SeriesTime") == NOON.strftime("%Y%m%d%H%M%S")
    wanted = (NOON + timedelta(seconds=apart_s)).strftime("%Y%m%d%H%M%S")
    assert moved(ds, "AcquisitionDate") + moved(ds, "AcquisitionTime") == wanted
    assert moved(ds, "DecayCorrectionDateTime") == wanted


def test_the_injection_keeps_its_distance_from_the_series() -> None:
    ds = examined(MORNING, RadiopharmaceuticalStartTime="093000.25")
    assert moved(ds, "RadiopharmaceuticalStartTime") == "110000.250000"


def test_an_injection_that_has_a_date_keeps_its_distance_too() -> None:
    ds = examined(MORNING, RadiopharmaceuticalStartDateTime="20240505233000")
    wanted = NOON - timedelta(hours=11)
    assert moved(ds, "RadiopharmaceuticalStartDateTime") == wanted.strftime("%Y%m%d%H%M%S")


def test_what_the_decay_does_not_need_is_not_moved() -> None:
    ds = examined(MORNING, PatientBirthDate="19600101", StudyDate="20240506")
    clock = clock_of(ds)
    assert clock.moved(ds, ds["PatientBirthDate"]) is None
    assert clock.moved(ds, ds["StudyDate"]) is None  # its time is missing: no pair


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"SeriesTime": ""}, "Series Date and Series Time"),
        ({"SeriesDate": "6 May"}, "valid dates"),
        ({"SeriesTime": "noon"}, "valid times"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_series_without_a_clock_is_refused(attributes: dict[str, str], sentence: str) -> None:
    with pytest.raises(ProfileError, match=sentence):
        clock_of(examined(MORNING, **attributes))


def test_dates_that_lie_years_apart_are_refused() -> None:
    ds = examined(MORNING, DecayCorrectionDateTime="20200101120000")
    with pytest.raises(ProfileError, match="months apart"):
        moved(ds, "DecayCorrectionDateTime")
