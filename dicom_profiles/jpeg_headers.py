"""The headers of a lossless JPEG image, proven before a decoder sees them.

GDCM, the one decoder of JPEG Lossless here, ends the whole process at headers that do not fit.
What comes after the headers may be damaged: that it reports.
"""

from __future__ import annotations

import struct

# ITU-T T.81 table B.1
START_OF_IMAGE, START_OF_FRAME_3, START_OF_SCAN = b"\xff\xd8", 0xC3, 0xDA
FRAME_HEADER = struct.Struct(">BHHBBBB")  # ITU-T T.81 B.2.2, of one component
SAMPLING = frozenset(16 * across + down for across in range(1, 5) for down in range(1, 5))


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
