"""The time of an acquisition, from headers as scanners write them."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset

from node.assembling.acquired import DAY_S, Acquired, acquired_at, seconds_between


def header(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("attributes", "wanted", "dated"),
    [
        ({"AcquisitionDateTime": "20250310101605.5"}, 5.5, True),
        ({"AcquisitionTime": "101605.25", "AcquisitionDate": "20250310"}, 5.25, True),
        ({"AcquisitionTime": "1016", "StudyDate": "20250310"}, 0.0, False),
        ({"AcquisitionTime": "101607", "AcquisitionDate": "20259999"}, 7.0, False),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_the_time_of_acquisition(attributes: dict[str, Any], wanted: float, dated: bool) -> None:
    found = acquired_at([header(**attributes)])
    assert found is not None
    assert (found.seconds % 60, found.dated) == (wanted, dated)


@pytest.mark.parametrize("attributes", [{}, {"AcquisitionDate": "20250310"}])
def test_without_a_time_nothing_is_known(attributes: dict[str, Any]) -> None:
    assert acquired_at([header(**attributes)]) is None


def test_a_date_of_the_acquisition_is_believed() -> None:
    days = ("20250310", "20250311")
    one, other = (
        acquired_at([header(AcquisitionDate=day, AcquisitionTime="101600")]) for day in days
    )
    assert one is not None
    assert other is not None
    assert seconds_between(one, other) == DAY_S


def test_a_date_of_the_study_is_the_day_on_which_it_began() -> None:
    one, other = (
        acquired_at([header(StudyDate="20250310", AcquisitionTime=time)])
        for time in ("235950", "000010")
    )
    assert one is not None
    assert other is not None
    assert seconds_between(one, other) == seconds_between(other, one) == 20.0


def test_series_that_began_days_apart_are_days_apart() -> None:
    one, other = (
        acquired_at([header(SeriesDate=day, AcquisitionTime="101600")])
        for day in ("20250310", "20250313")
    )
    assert one is not None
    assert other is not None
    assert seconds_between(one, other) >= 2 * DAY_S


def test_a_stack_across_midnight_has_its_middle_at_midnight() -> None:
    times = ("235950", "235956", "000004", "000010")
    found = acquired_at([header(StudyDate="20250310", AcquisitionTime=time) for time in times])
    assert found is not None
    assert seconds_between(found, Acquired(found.seconds // DAY_S * DAY_S, dated=False)) == 0.0


def test_across_midnight_one_date_of_the_acquisition_is_not_enough() -> None:
    """The other's date is that on which its series began, perhaps the day before."""
    dated = acquired_at([header(AcquisitionDate="20250311", AcquisitionTime="000010")])
    begun = acquired_at([header(SeriesDate="20250310", AcquisitionTime="000005")])
    assert dated is not None
    assert begun is not None
    assert seconds_between(dated, begun) == seconds_between(begun, dated) == 5.0
