from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicom_profiles.errors import UnreadableInstance
from dicom_profiles.sources.pixels import PADDING_HU, decode
from tests.synthetic import (
    compress,
    outside_field_of_view,
    write_ct_dataset,
    write_ct_series,
)

JPEG_LOSSLESS = "CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm"


def saved(ds: Dataset, folder: Path) -> Path:
    path = folder / "slice.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def with_pixels(pixels: npt.NDArray[np.integer], **attributes: Any) -> Dataset:
    ds = write_ct_dataset(Rows=pixels.shape[0], Columns=pixels.shape[1], **attributes)
    ds.PixelData = pixels.tobytes()
    return ds


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLSLossless,
        JPEG2000Lossless,
        RLELossless,
    ],
)
def test_every_lossless_syntax_gives_the_same_pixels(tmp_path: Path, syntax: str) -> None:
    plain = write_ct_series(tmp_path / "plain", slices=1, padding_value=-2000)[0]
    other = write_ct_series(
        tmp_path / "other", slices=1, padding_value=-2000, transfer_syntax=syntax
    )[0]
    wanted, got = decode(plain), decode(other)
    np.testing.assert_array_equal(got.hu, wanted.hu)
    assert got.facts == wanted.facts


def test_padding_reads_as_air_and_comes_back(tmp_path: Path) -> None:
    decoded = decode(saved(write_ct_dataset(padding_value=-2000), tmp_path))
    outside = outside_field_of_view(64, 64)
    assert (decoded.hu[outside] == PADDING_HU).all()
    assert decoded.facts.padding is not None
    pixels = np.zeros((64, 64), dtype=np.int32)
    np.testing.assert_array_equal(decoded.facts.padding.restore(pixels), outside)
    assert (pixels[outside] == -2000).all()
    assert (pixels[~outside] == 0).all()


def test_padding_range_is_padding(tmp_path: Path) -> None:
    pixels = np.array([[-2000, -1500], [-1400, 100]], dtype="<i2")
    ds = with_pixels(pixels, PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleIntercept="0")
    ds.add_new("PixelPaddingValue", "SS", -2000)
    ds.add_new("PixelPaddingRangeLimit", "SS", -1450)
    np.testing.assert_array_equal(
        decode(saved(ds, tmp_path)).hu, [[PADDING_HU, PADDING_HU], [-1400, 100]]
    )


def test_padding_value_with_the_wrong_sign_is_understood(tmp_path: Path) -> None:
    pixels = np.array([[-300, 0], [0, 0]], dtype="<i2")
    ds = with_pixels(pixels, PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleIntercept="0")
    ds.add_new("PixelPaddingValue", "US", 0x10000 - 300)
    assert decode(saved(ds, tmp_path)).hu[0, 0] == PADDING_HU


def test_padding_beyond_bits_stored_is_padding(tmp_path: Path) -> None:
    """What is left of it below Bits Stored would read as 1040 HU."""
    ds = with_pixels(np.array([[0xF810, 1024]], dtype="<u2"))
    ds.add_new("PixelPaddingValue", "US", 0xF810)
    np.testing.assert_array_equal(decode(saved(ds, tmp_path)).hu, [[PADDING_HU, 0]])


def test_padding_of_other_images_than_ct_reads_as_zero(tmp_path: Path) -> None:
    ds = with_pixels(np.array([[7, 9]], dtype="<u2"), RescaleIntercept="0", Modality="MR")
    ds.add_new("PixelPaddingValue", "US", 7)
    np.testing.assert_array_equal(decode(saved(ds, tmp_path)).hu, [[0, 9]])


def test_undeclared_fill_is_padding_too(tmp_path: Path) -> None:
    pixels = np.array([[-3024, 24], [-1501, -1500]], dtype="<i2")
    ds = with_pixels(pixels, PixelRepresentation=1, BitsStored=16, HighBit=15, RescaleIntercept="0")
    decoded = decode(saved(ds, tmp_path))
    np.testing.assert_array_equal(decoded.hu, [[PADDING_HU, 24], [PADDING_HU, -1500]])
    assert decoded.facts.padding is not None


@pytest.mark.parametrize(
    ("representation", "stored", "value"),
    [(0, 0xF005, 5), (1, 0xF005, 5), (1, 0x0FFF, -1), (1, 0x7800, -2048), (0, 0xFFFF, 4095)],
)
def test_bits_above_bits_stored_do_not_count(
    tmp_path: Path, representation: int, stored: int, value: int
) -> None:
    pixels = np.full((2, 2), stored, dtype="<u2")
    ds = with_pixels(pixels, PixelRepresentation=representation, RescaleIntercept="0")
    ds.Modality = "MR"  # so that no value is taken for fill
    assert decode(saved(ds, tmp_path)).hu[0, 0] == value


def test_rescale_is_applied(tmp_path: Path) -> None:
    ds = with_pixels(np.full((2, 2), 100, dtype="<u2"), RescaleSlope="0.5", RescaleIntercept="-10")
    assert decode(saved(ds, tmp_path)).hu[0, 0] == 40.0


def test_an_empty_rescale_changes_nothing(tmp_path: Path) -> None:
    ds = with_pixels(np.full((2, 2), 100, dtype="<u2"))
    ds.Modality, ds.RescaleSlope, ds.RescaleIntercept = "MG", None, None
    assert decode(saved(ds, tmp_path)).hu[0, 0] == 100.0


def truncated(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:-100]


def without_pixels(ds: Dataset) -> None:
    del ds.PixelData


def as_video(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([b"no video"])


def shifted(ds: Dataset) -> None:
    ds.HighBit = 14


def in_colour(ds: Dataset) -> None:
    ds.SamplesPerPixel, ds.Rows, ds.Columns, ds.PlanarConfiguration = 2, 64, 32, 0


@pytest.mark.parametrize("fault", [truncated, without_pixels, as_video, shifted, in_colour])
def test_damaged_pixels_give_a_sentence(tmp_path: Path, fault: object) -> None:
    ds = write_ct_dataset()
    assert callable(fault)
    fault(ds)
    with pytest.raises(UnreadableInstance, match=r"slice\.dcm"):
        decode(saved(ds, tmp_path))


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_a_damaged_compressed_slice_is_a_sentence_and_not_the_end_of_the_process(
    tmp_path: Path, syntax: str
) -> None:
    ds = write_ct_dataset()
    compress(ds, syntax)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    for kept in (4, 40, 200):  # of the head; what follows is another stream's
        ds.PixelData = encapsulate([frame[:kept] + b"\xff" * 200])
        with pytest.raises(UnreadableInstance, match=r"decoding failed|headers should"):
            decode(saved(ds, tmp_path))


def test_a_stream_that_asks_for_all_the_memory_gets_none(tmp_path: Path) -> None:
    ds = write_ct_dataset()
    compress(ds, JPEG2000Lossless)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    size = struct.pack(">LL", 65535, 65535)  # ITU-T T.800 A.5.1: of the image, and of its tiles
    ds.PixelData = encapsulate([frame[:8] + size + frame[16:24] + size + frame[32:]])
    with pytest.raises(UnreadableInstance, match="headers should describe one greyscale image"):
        decode(saved(ds, tmp_path))


def test_a_damaged_jpeg_header_is_a_sentence_and_not_the_end_of_the_process(
    tmp_path: Path, shared_data: Path
) -> None:
    ds = pydicom.dcmread(shared_data / "syntaxes_cornerstone" / JPEG_LOSSLESS)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    at = frame.index(b"\xff\xc3")  # ITU-T T.81 B.2.2: length, precision, rows ...
    ds.PixelData = encapsulate([frame[: at + 4] + b"\xe1" + frame[at + 5 :]])
    with pytest.raises(UnreadableInstance, match="JPEG headers should describe"):
        decode(saved(ds, tmp_path))


def test_every_real_lossless_syntax_gives_the_same_ct(shared_data: Path) -> None:
    folder = shared_data / "syntaxes_cornerstone"
    wanted = decode(folder / "CTImage.dcm")
    words = ("Lossless", "Endian", "Process14", "RLE")
    lossless = [
        path
        for path in sorted(folder.glob("CTImage.dcm_*"))
        if any(word in path.name for word in words)
    ]
    assert len(lossless) >= 8
    for path in lossless:
        got = decode(path)
        np.testing.assert_array_equal(got.hu, wanted.hu, err_msg=path.name)
        assert got.facts == wanted.facts, path.name
