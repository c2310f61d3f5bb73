from __future__ import annotations

import pytest

from dicom_profiles.jpeg_headers import describes_greyscale

# As DCMTK's dcmcjpeg writes it: SOI, APP0, SOF3 (16 bits, 64 x 48), DHT, SOS, a few bytes of scan
APPLICATION = bytes.fromhex("ffe000104a46494600010100000100010000")
FRAME = bytes.fromhex("ffc3000b100040003001011100")
TABLE = bytes.fromhex("ffc40014 00 00010000000000000000000000000000 00")
SCAN = bytes.fromhex("ffda0008010100010000") + b"\x1b\x8e"
IMAGE = b"\xff\xd8" + APPLICATION + FRAME + TABLE + SCAN


def sound(stream: bytes) -> bool:
    return describes_greyscale(stream, 64, 48, 16)


def test_an_image_of_the_right_size_is_sound() -> None:
    assert sound(IMAGE)
    assert sound(IMAGE.replace(FRAME, b"\xff\xff" + FRAME))  # fill bytes
    assert not describes_greyscale(IMAGE, 64, 64, 16)
    assert not describes_greyscale(IMAGE, 64, 48, 8)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ffd8", "ffd9"),  # no start
        ("ffe000", "73e000"),  # no marker
        ("ffc3000b10", "ffc3000be1"),  # 225 bits
        ("300101", "300301"),  # three components
        ("01011100ff", "01011000ff"),  # sampling by none
        ("01011100ff", "01011107ff"),  # a table that lossless images have not
        ("ffc3000b", "ffc3000a"),  # length
        ("ffc3000b", "ffc1000b"),  # not lossless
        ("ffda0008", "ffdb0008"),  # never comes to the scan
    ],
)
def test_a_damaged_header_is_not(right: str, wrong: str) -> None:
    assert IMAGE.hex().count(right) == 1
    assert not sound(bytes.fromhex(IMAGE.hex().replace(right, wrong)))


@pytest.mark.parametrize("length", range(0, len(IMAGE) - 11))
def test_headers_cut_short_are_not(length: int) -> None:
    assert not sound(IMAGE[:length])


def test_two_frames_are_not() -> None:
    assert not sound(IMAGE.replace(FRAME, FRAME + FRAME))
