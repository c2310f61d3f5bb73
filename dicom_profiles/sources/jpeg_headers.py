"""The headers of a lossless JPEG or JPEG 2000 image, proven before a decoder sees them.

GDCM, the one decoder of JPEG Lossless here, ends the whole process at headers that do not fit.
OpenJPEG takes the memory that the headers ask for: 17 GB for a few bytes, if they say so.
What comes after the headers may be damaged: that both report.
"""

from __future__ import annotations

import struct

# ITU-T T.81 table B.1
START_OF_IMAGE, START_OF_FRAME_3, START_OF_SCAN = b"\xff\xd8", 0xC3, 0xDA
FRAME_HEADER = struct.Struct(">BHHBBBB")  # ITU-T T.81 B.2.2, of one component
SAMPLING = frozenset(16 * across + down for across in range(1, 5) for down in range(1, 5))

# ITU-T T.800 A.5.1: SOC; SIZ and its length; capabilities; image, its offset, tile, its offset,
# each as columns and rows; components.
SIZE = struct.Struct(">HHHH8LH")
START_AND_SIZE = (0xFF4F, 0xFF51)
# Annex I: the boxes of a file around the codestream, which PS3.5 A.4.4 forbids and some write.
BOX, FIRST_BOX, CODESTREAM_BOX = struct.Struct(">L4s"), b"jP  ", b"jp2c"


def describes_greyscale(stream: bytes, rows: int, columns: int, bits_allocated: int) -> bool:
    """Whether sound headers lead to the scan of one greyscale image of this size."""
    frames = []
    try:
        for marker, segment in _segments(stream):
            if marker == START_OF_FRAME_3:
                frames.append(FRAME_HEADER.unpack(segment))
    except (ValueError, IndexError, struct.error):
        return False
    if len(frames) != 1:
        return False
    ((precision, height, width, components, _, sampling, table),) = frames
    return (
        (height, width, components, table) == (rows, columns, 1, 0)
        and 2 <= precision <= bits_allocated
        and sampling in SAMPLING
    )


def _segments(stream: bytes) -> list[tuple[int, bytes]]:
    """Marker and content of each segment before the scan.

    Raises:
        ValueError, IndexError, struct.error: they do not follow each other up to a scan.
    """
    if not stream.startswith(START_OF_IMAGE):
        raise ValueError("a JPEG image begins with SOI")
    found: list[tuple[int, bytes]] = []
    at = len(START_OF_IMAGE)
    while True:
        fill, marker = stream[at], stream[at + 1]
        if fill != 0xFF:
            raise ValueError("a marker begins with FFH")
        if marker == 0xFF:  # ITU-T T.81 B.1.1.2: any number of fill bytes
            at += 1
            continue
        if marker == START_OF_SCAN:
            return found
        (length,) = struct.unpack_from(">H", stream, at + 2)
        found.append((marker, stream[at + 4 : at + 2 + length]))
        at += 2 + max(length, 2)


def describes_greyscale_2000(stream: bytes, rows: int, columns: int) -> bool:
    """Whether a JPEG 2000 image begins as one greyscale image of this size does."""
    try:
        fields = SIZE.unpack_from(stream, _codestream(stream))
    except struct.error:
        return False
    right, bottom, left, top = fields[4:8]
    size = (bottom - top, right - left)
    return fields[:2] == START_AND_SIZE and size == (rows, columns) and fields[-1] == 1


def _codestream(stream: bytes) -> int:
    """Where the codestream begins: at once, or in a box of a file.

    Raises:
        struct.error: it never does.
    """
    at, (length, kind) = 0, BOX.unpack_from(stream)
    if kind != FIRST_BOX:
        return 0
    while kind != CODESTREAM_BOX:
        at += max(length, BOX.size)
        length, kind = BOX.unpack_from(stream, at)
    return at + BOX.size
