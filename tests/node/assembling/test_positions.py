from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from node.assembling.positions import examine_positions, find_gap


def image(z: float, **attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Rows = ds.Columns = 64
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [-30, -30, z]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("positions", "regular", "missing"),
    [
        ([0, 3, 6, 9], True, ""),
        ([0, 3, 9, 12], False, "about 1 missing"),
        ([0, 3, 6, 15, 18, 27, 30], False, "about 4 missing"),
        ([0, 3.02, 5.97, 9.01], True, ""),
        ([0, 3], None, ""),
        ([], None, ""),
        ([0, 0, 3, 3, 6, 6], True, ""),  # two phases at each place
    ],
)
def test_gaps(positions: list[float], regular: bool | None, missing: str) -> None:
    found, finding = find_gap(positions)
    assert found is regular
    assert missing in finding


@given(st.permutations(range(12)), st.integers(1, 10))
def test_the_order_does_not_matter_and_an_inner_gap_is_found(order: list[int], gap: int) -> None:
    assert examine_positions([image(3.0 * i) for i in order]).regular is True
    with_gap = examine_positions([image(3.0 * i) for i in order if i != gap])
    assert with_gap.regular is False
    assert "about 1 missing" in with_gap.finding


def test_a_scout_in_the_series_is_no_gap() -> None:
    scout = image(
        500,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        Rows=512,
    )
    assert examine_positions([*(image(3.0 * i) for i in range(6)), scout]).regular is True


def test_images_without_positions_tell_nothing() -> None:
    assert examine_positions([image(0, ImagePositionPatient=None)] * 5).regular is None
    assert examine_positions([]).regular is None


@pytest.mark.parametrize(("given", "promised"), [("40", 40), (None, None), ("many", None)])
def test_the_scanners_own_count(given: str | None, promised: int | None) -> None:
    images = [image(3.0 * i) for i in range(4)]
    for one in images:
        if given is not None:
            one.add_new(0x00201002, "LO", given)
    assert examine_positions(images).images_in_acquisition == promised
