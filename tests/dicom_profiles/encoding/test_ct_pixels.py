from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataset import Dataset

from dicom_profiles.encoding.ct_pixels import choose_encoding, store
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.sources.pixels import NOT_A_CT_NUMBER_HU, declared_padding, decode
from tests.synthetic import outside_field_of_view, phantom_slice, write_ct_dataset

HU = arrays.arrays(np.float32, (3, 4), elements=st.floats(-3000, 30000, width=32))


@given(HU, st.sampled_from(["1", "0.5", "1.0", "2", "32.1216"]), st.sampled_from(["-1024", "0"]))
def test_values_come_back_to_half_a_hounsfield_unit(
    hu: npt.NDArray[np.float32], slope: str, intercept: str
) -> None:
    source = write_ct_dataset(RescaleSlope=slope, RescaleIntercept=intercept)
    pixels, encoding = store(hu, source, None)
    back = pixels * float(encoding.slope) + float(encoding.intercept)
    np.testing.assert_allclose(back, hu, atol=0.5 + 2e-3)


@pytest.mark.parametrize(
    ("lowest", "highest", "intercept"),
    [(-33792, 31743, "-1024"), (0, 31744, "0"), (-32768, 32767, "0"), (-32769, 32767, None)],
)
def test_all_16_bits_are_used_and_none_beyond(
    lowest: int, highest: int, intercept: str | None
) -> None:
    hu = np.array([[lowest, highest]], dtype=np.float32)
    if intercept is None:
        with pytest.raises(DerivedObjectError, match="should fit 16 bits"):
            store(hu, write_ct_dataset(), None)
        return
    pixels, encoding = store(hu, write_ct_dataset(), None)
    assert encoding.intercept == intercept
    np.testing.assert_array_equal(pixels + float(intercept), hu)


def test_metal_and_air_beyond_twelve_bits_are_kept() -> None:
    hu = np.array([[-1100.0, 9000.0]], dtype=np.float32)
    pixels, encoding = store(hu, write_ct_dataset(), None)
    np.testing.assert_array_equal(pixels + float(encoding.intercept), hu)
    assert encoding.intercept == "-1024"


@pytest.mark.parametrize("padding_value", [-2000, 0, -1024])
def test_padding_comes_back_exactly_where_it_was(tmp_path: Path, padding_value: int) -> None:
    path = tmp_path / "slice.dcm"
    source = write_ct_dataset(phantom_slice(noise_hu=80), padding_value=padding_value)
    source.save_as(path, enforce_file_format=True)
    decoded = decode(path)
    assert decoded.facts.padding is not None
    hu = np.full((64, 64), padding_value + float(source.RescaleIntercept), dtype=np.float32)
    pixels, _ = store(hu, source, decoded.facts.padding)
    # Every output value would read as padding: only the source's padding may.
    np.testing.assert_array_equal(pixels == padding_value, source.pixel_array == padding_value)
    assert np.abs(pixels.astype(int) - padding_value).max() == 1


@pytest.mark.parametrize("bits", [12, 16])
def test_padding_above_the_signed_range_stays_unsigned(tmp_path: Path, bits: int) -> None:
    """Also where it lies beyond Bits Stored, and reads as 1072 HU without the bits above."""
    path = tmp_path / "slice.dcm"
    source = write_ct_dataset(padding_value=63536, BitsStored=bits, HighBit=bits - 1)
    source.save_as(path, enforce_file_format=True)
    decoded = decode(path)
    assert decoded.facts.padding is not None
    pixels, encoding = store(decoded.hu, source, decoded.facts.padding)
    assert not encoding.signed
    assert (pixels[outside_field_of_view(64, 64)] == 63536).all()


def test_unsigned_padding_and_values_below_the_sources_range_fit_together(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    source = write_ct_dataset(padding_value=65535, BitsStored=16, HighBit=15)
    source.save_as(path, enforce_file_format=True)
    padding = decode(path).facts.padding
    hu = np.full((64, 64), -1051.0, dtype=np.float32)  # the source's intercept is -1024
    pixels, encoding = store(hu, source, padding)
    outside = outside_field_of_view(64, 64)
    assert (pixels[outside] == 65535).all()
    assert (pixels[~outside] + float(encoding.intercept) == -1051).all()


def test_undeclared_fill_keeps_its_meaning_when_the_rescale_changes(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    hu = np.array([[-3000.0, 10.0], [20.0, 30.0]], dtype=np.float32)
    source = write_ct_dataset(hu, RescaleSlope="2", RescaleIntercept="-4096")
    source.save_as(path, enforce_file_format=True)
    decoded = decode(path)
    pixels, encoding = store(decoded.hu, source, decoded.facts.padding)
    assert encoding.slope == "1"
    np.testing.assert_allclose(pixels + float(encoding.intercept), hu)


def test_undeclared_fill_keeps_its_meaning_when_only_the_intercept_changes(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    hu = np.array([[-32768.0, 10.0], [20.0, 30.0]], dtype=np.float32)
    source = write_ct_dataset(
        Rows=2, Columns=2, RescaleIntercept="-32768", BitsStored=16, HighBit=15
    )
    source.PixelData = (hu + 32768).astype("<u2").tobytes()
    source.save_as(path, enforce_file_format=True)
    decoded = decode(path)
    pixels, encoding = store(decoded.hu, source, decoded.facts.padding)
    assert (encoding.slope, encoding.intercept) == ("1", "0")
    np.testing.assert_array_equal(pixels, hu)


def test_values_move_out_of_a_range_of_padding_to_the_nearer_end() -> None:
    """In a slice without padding of its own as well."""
    source = write_ct_dataset(padding_value=-2000, RescaleIntercept="0")
    source.add_new("PixelPaddingRangeLimit", "SS", -1500)
    hu = np.array([[-2001, -2000, -1751, -1749, -1500, -1499]], dtype=np.float32)
    pixels, _ = store(hu, source, None)
    assert pixels.tolist() == [[-2001, -2001, -2001, -1499, -1499, -1499]]


@pytest.mark.parametrize("highest", [3000, 30_000])
def test_with_another_rescale_lungs_do_not_fall_into_the_padding(highest: int) -> None:
    """Stored -2000 to -600 is -4000 to -1200 HU in the source; with a slope of 1 it is lung."""
    source = write_ct_dataset(padding_value=-2000, RescaleSlope="2", RescaleIntercept="0")
    source.add_new("PixelPaddingRangeLimit", "SS", -600)
    hu = np.array([[-1100, -1000, -850, -700, 40, highest]], dtype=np.float32)
    pixels, encoding = store(hu, source, None)
    np.testing.assert_array_equal(pixels + float(encoding.intercept), hu)
    assert not ((pixels >= -2000) & (pixels <= -600)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(DerivedObjectError, match="NaN or infinity"):
        store(np.array([[0.0, bad]], dtype=np.float32), write_ct_dataset(), None)


def test_what_no_16_bits_hold_is_refused() -> None:
    with pytest.raises(DerivedObjectError, match="should fit 16 bits"):
        choose_encoding(write_ct_dataset(), -40_000, 40_000)


@st.composite
def any_source(draw: st.DrawFn) -> Dataset:
    """A slice of 3 x 4 with any pixels and rescale, and padding where and as wide as it likes."""
    signed, bits = draw(st.booleans()), draw(st.sampled_from([12, 16]))
    lowest, highest = (-0x8000, 0x7FFF) if signed else (0, 0xFFFF)
    first = draw(st.integers(lowest, highest) | st.sampled_from([lowest, highest]))
    limit = draw(st.integers(max(lowest, first - 2000), min(highest, first + 2000)))
    measured = st.integers(lowest >> (16 - bits), highest >> (16 - bits))
    padded = st.integers(min(first, limit), max(first, limit))
    pixels = draw(arrays.arrays(np.int32, (3, 4), elements=measured | padded))
    source = write_ct_dataset(
        np.zeros((3, 4), np.float32),
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(signed),
        RescaleSlope=draw(st.sampled_from(["1", "0.1", "1.0", "2", "10", "32.1216"])),
        RescaleIntercept=draw(st.sampled_from(["-1024", "0", "-8192", "-1000.5", "-32768"])),
    )
    source.PixelData = pixels.astype("<i2" if signed else "<u2").tobytes()
    for keyword, value in (("PixelPaddingValue", first), ("PixelPaddingRangeLimit", limit)):
        if draw(st.booleans()):
            source.add_new(keyword, "SS" if signed else "US", value)
    return source


@given(
    any_source(),
    arrays.arrays(np.float32, (3, 4), elements=st.floats(-1100, 30_000, width=32)),
)
def test_metal_and_air_stay_and_padding_comes_back_whatever_the_source(
    tmp_path_factory: pytest.TempPathFactory, source: Dataset, hu: npt.NDArray[np.float32]
) -> None:
    path = tmp_path_factory.mktemp("source") / "slice.dcm"
    source.save_as(path, enforce_file_format=True)
    facts = decode(path).facts.padding
    pixels, encoding = store(hu, source, facts)
    back = pixels * float(encoding.slope) + float(encoding.intercept)

    dtype = "<i2" if source.PixelRepresentation else "<u2"
    was = np.frombuffer(source.PixelData, dtype).reshape(3, 4).astype(int)
    low, high = declared_padding(source) or (0x10000, 0x10000)
    padded = (was >= low) & (was <= high)
    np.testing.assert_array_equal(pixels[padded], was[padded])

    fill = np.zeros_like(padded) if facts is None else facts.where((3, 4)) & ~padded
    assert (back[fill] < NOT_A_CT_NUMBER_HU).all()

    measured = ~padded & ~fill
    assert not ((pixels >= low) & (pixels <= high))[measured].any()
    beside = (pixels == low - 1) | (pixels == high + 1)  # moved out of the padding, maybe
    own = (encoding.slope, encoding.intercept) == (source.RescaleSlope, source.RescaleIntercept)
    width = (high - low + 2) / 2 * float(encoding.slope) if own else 1
    error = np.abs(back - hu)[measured]
    assert (error <= np.where(beside[measured], max(0.5, width), 0.5) + 4e-3).all()


@pytest.mark.parametrize(
    ("first", "limit", "kept", "refused"),
    [(63536, 65535, 62511, 63600), (65535, None, 64510, 65536), (-32768, -30000, -31023, -63000)],
)
def test_what_lies_in_padding_at_an_end_of_16_bits_never_comes_out_at_the_other(
    first: int, limit: int | None, kept: float, refused: float
) -> None:
    source = write_ct_dataset(PixelRepresentation=int(first < 0))
    for keyword, value in (("PixelPaddingValue", first), ("PixelPaddingRangeLimit", limit)):
        if value is not None:
            source.add_new(keyword, "SS" if first < 0 else "US", value)
    pixels, encoding = store(np.array([[0.0, kept]], np.float32), source, None)
    np.testing.assert_array_equal(pixels + float(encoding.intercept), [[0.0, kept]])
    with pytest.raises(DerivedObjectError, match="should fit 16 bits"):
        store(np.array([[0.0, refused]], np.float32), source, None)
