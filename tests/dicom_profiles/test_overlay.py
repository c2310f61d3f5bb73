from __future__ import annotations

import numpy as np
import pytest

from dicom_profiles.overlay import label_bitmap, overlay_plane


@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (64, 64), (97, 131), (1024, 768)])
def test_the_plane_is_the_bitmap_packed_lowest_bit_first(rows: int, columns: int) -> None:
    ds = overlay_plane(rows, columns)
    data = ds[0x60003000].value
    assert len(data) % 2 == 0
    assert len(data) * 8 >= rows * columns
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=rows * columns)
    np.testing.assert_array_equal(bits.reshape(rows, columns), label_bitmap(rows, columns))


def test_the_plane_lies_over_the_whole_image() -> None:
    """PS3.3 C.9.2: where the bits are drawn, and that they are drawn as graphics."""
    elements = {int(element.tag): element.value for element in overlay_plane(97, 131)}
    del elements[0x60003000]
    assert elements == {
        0x60000010: 97,
        0x60000011: 131,
        0x60000022: "SYNTHETIC label",
        0x60000040: "G",
        0x60000050: [1, 1],
        0x60000100: 1,
        0x60000102: 0,
        0x60001500: "SYNTHETIC",
    }


def test_nobody_draws_over_the_label_of_others() -> None:
    with pytest.raises(ValueError, match="read-only"):
        label_bitmap(64, 64)[0, 0] = True


@pytest.mark.parametrize("size", [128, 512, 1024])
def test_the_label_is_readable_and_out_of_the_way(size: int) -> None:
    bitmap = label_bitmap(size, size)
    drawn_rows, drawn_columns = np.where(bitmap)
    assert drawn_rows.min() > 0.9 * size
    assert 0.15 * size < np.ptp(drawn_columns) < 0.6 * size
    assert 0.1 < bitmap[drawn_rows.min() :, drawn_columns.min() : drawn_columns.max()].mean() < 0.6


def test_the_same_size_gives_the_same_bits() -> None:
    assert overlay_plane(512, 512) == overlay_plane(512, 512)
