from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from dicom_profiles.encoding.element_bytes import LONGEST_SHORT_VALUE, element_bytes, text_bytes


def by_pydicom(tag: int, vr: str, value: str | bytes) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, DataElement(tag, vr, value))
    return buffer.getvalue()


@given(st.integers(0, 2**128 - 1))
def test_uids_are_encoded_as_pydicom_encodes_them(number: int) -> None:
    uid = f"2.25.{number}"
    assert text_bytes(0x00080018, "UI", uid) == by_pydicom(0x00080018, "UI", uid)


@given(st.text("abcXYZ 019", max_size=64))
def test_text_is_encoded_as_pydicom_encodes_it(text: str) -> None:
    assert text_bytes(0x00991008, "LO", text) == by_pydicom(0x00991008, "LO", text)


@pytest.mark.parametrize("vr", ["OB", "OW", "UN"])
def test_long_values_have_a_long_length(vr: str) -> None:
    value = bytes(70_000)
    assert element_bytes(0x00991020, vr, value) == by_pydicom(0x00991020, vr, value)


def test_a_value_too_long_for_its_vr_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        element_bytes(0x00080018, "LO", bytes(LONGEST_SHORT_VALUE + 2))
