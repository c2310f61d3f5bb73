from __future__ import annotations

import struct

import pytest

from dicom_profiles.sources.jpeg_headers import describes_greyscale, describes_greyscale_2000

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


# As OpenJPEG writes it: SOC, SIZ of 64 x 48 (64 rows) in one tile, one component
SIZE_2000 = bytes.fromhex("ff4fff5100290000") + struct.pack(">8LH", 48, 64, 0, 0, 48, 64, 0, 0, 1)
IMAGE_2000 = SIZE_2000 + bytes.fromhex("0f0101ff52000c00")
BOXES = bytes.fromhex("0000000c6a5020200d0a870a") + bytes.fromhex(
    "00000008667265650000ffff6a703263"
)


@pytest.mark.parametrize("before", [b"", BOXES])
def test_an_image_of_jpeg_2000_has_the_size_that_it_should(before: bytes) -> None:
    assert describes_greyscale_2000(before + IMAGE_2000, 64, 48)
    assert not describes_greyscale_2000(before + IMAGE_2000, 48, 64)
    assert not describes_greyscale_2000(
        before + IMAGE_2000.replace(b"\0\1\x0f", b"\0\3\x0f"), 64, 48
    )
    moved = struct.pack(">8L", 48, 64, 8, 0, 48, 64, 0, 0)
    assert not describes_greyscale_2000(before + IMAGE_2000[:8] + moved + IMAGE_2000[40:], 64, 48)


@pytest.mark.parametrize("length", range(0, len(BOXES + SIZE_2000)))
def test_headers_of_jpeg_2000_cut_short_are_not(length: int) -> None:
    assert not describes_greyscale_2000((BOXES + SIZE_2000)[:length], 64, 48)
