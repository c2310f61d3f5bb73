"""The header of an instance as DICOM JSON (PS3.18 annex F), fast enough for admission.

The slices of a series share nearly all their values, byte for byte, so the conversion of each
value is remembered. Pixel data, and binary or long text values, are left out.
"""

from __future__ import annotations

import base64
import math
import struct
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from dicom_profiles.sources.character_sets import defined_terms
from node.spooling.elements import (
    IMPLICIT,
    PIXEL_DATA_GROUP,
    Buffer,
    Element,
    Encoding,
    items,
    walk,
)

JSON = dict[str, Any]

MAX_VALUE_BYTES = 1024  # longer values are bulk data: they stay in the file
MAX_SEQUENCE_BYTES = 65536  # per-frame functional groups of multi-frame objects stay in the file
MAX_HEADER_BYTES = 1 << 18  # of all that is kept; what comes beyond that stays in the file
ELEMENT_BYTES = 16  # what an element is counted for beside its value
MAX_DEPTH = 8
REMEMBERED = 16384  # values; some 2 MiB for the headers of usual series

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
RELIED_ON = {
    SPECIFIC_CHARACTER_SET: b"CS",
    0x00080016: b"UI",  # SOP Class UID
    0x00080018: b"UI",  # SOP Instance UID
    0x0020000D: b"UI",  # Study Instance UID
    0x0020000E: b"UI",  # Series Instance UID
}
"""By these an instance is read and filed: their VR is that of PS3.6, whatever one is written."""

# PS3.5 table 6.2-1
ASCII_LISTS = frozenset((b"AE", b"AS", b"CS", b"DA", b"DT", b"TM", b"UI"))
TEXT_LISTS = frozenset((b"LO", b"SH", b"UC"))
TEXTS = frozenset((b"LT", b"ST", b"UT", b"UR"))  # one value: a backslash is a character
NUMBERS = {
    b"FD": "d", b"FL": "f", b"SL": "l", b"SS": "h", b"SV": "q", b"UL": "L", b"US": "H", b"UV": "Q",
}  # fmt: skip
NUMBER_TEXTS: dict[bytes, Callable[[str], float | int]] = {b"DS": float, b"IS": int}


def header_attributes(buffer: Buffer, start: int, stop: int, encoding: Encoding) -> JSON:
    """The elements before the pixel data as DICOM JSON.

    Args:
        buffer: holds the data set, inflated where it was deflated.
        start: offset of the first element.
        stop: offset behind the last one.
        encoding: of the elements.

    Raises:
        UnreadableDataset: an element does not fit.
    """
    return _attributes(buffer, start, stop, encoding, charset=(), depth=0)


def _attributes(
    buffer: Buffer, start: int, stop: int, encoding: Encoding, charset: tuple[str, ...], depth: int
) -> JSON:
    found: JSON = {}
    signed, kept = False, 0
    for element in walk(buffer, start, stop, encoding):
        tag = element.tag
        if tag >= PIXEL_DATA_GROUP:
            break
        if not tag & 0xFFFF:
            continue  # group lengths are retired and say nothing (PS3.5 7.2)
        if kept > MAX_HEADER_BYTES and tag not in RELIED_ON:
            continue
        vr, inner = RELIED_ON.get(tag, element.vr), encoding
        if vr in (b"", b"UN"):
            vr = implicit_vr(tag, signed)
            inner = IMPLICIT if element.vr else encoding  # PS3.5 6.2.2 note 4
        if vr == b"SQ":
            value = _sequence(buffer, element, inner, charset, depth)
        else:
            value = _value(buffer, element, vr, encoding.order, charset)
        if value is None:
            continue
        if tag == SPECIFIC_CHARACTER_SET:
            charset = tuple(text or "" for text in value.get("Value", ()))
        elif tag == PIXEL_REPRESENTATION:
            signed = value.get("Value") == [1]
        found[f"{tag:08X}"] = value
        kept += element.end - element.start + ELEMENT_BYTES
    return found


def _sequence(
    buffer: Buffer, element: Element, encoding: Encoding, charset: tuple[str, ...], depth: int
) -> JSON | None:
    if element.end - element.start > MAX_SEQUENCE_BYTES or depth >= MAX_DEPTH:
        return None
    datasets = [
        _attributes(buffer, start, stop, encoding, charset, depth + 1)
        for start, stop in items(buffer, element, encoding)
    ]
    return {"vr": "SQ", "Value": datasets} if datasets else {"vr": "SQ"}


def _value(
    buffer: Buffer, element: Element, vr: bytes, order: str, charset: tuple[str, ...]
) -> JSON | None:
    if not 0 <= element.end - element.start <= MAX_VALUE_BYTES:
        return None
    return json_of_value(vr, bytes(buffer[element.start : element.end]), order, charset)


@lru_cache(maxsize=4096)
def implicit_vr(tag: int, signed: bool) -> bytes:
    """The VR of an element whose stream does not say it (PS3.5 A.1, PS3.6)."""
    if tag & 0x0001_0000:
        # PS3.5 7.8.1: (gggg,0010-00FF) name the owner of a block
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
    if not dictionary_has_tag(tag):
        return b"UN"
    choices = dictionary_VR(tag).split(" or ")
    if choices[:2] == ["US", "SS"]:
        return b"SS" if signed else b"US"
    return choices[-1].encode()


@lru_cache(maxsize=REMEMBERED)
def json_of_value(vr: bytes, raw: bytes, order: str, charset: tuple[str, ...]) -> JSON:
    """One value as DICOM JSON (PS3.18 F.2.3); never changed by those who get it."""
    name = vr.decode("ascii", "replace")
    if not raw:
        return {"vr": name}
    if vr in ASCII_LISTS:
        return _list(name, _split(_plain(raw)))
    if vr in NUMBER_TEXTS:
        return _list(name, [_number(text, NUMBER_TEXTS[vr]) for text in _split(_plain(raw))])
    if vr in NUMBERS:
        return _list(name, _unpacked(raw, order + NUMBERS[vr]))
    if vr == b"AT":
        pairs = zip(*[iter(_unpacked(raw, order + "H"))] * 2, strict=False)
        return _list(name, [f"{group:04X}{number:04X}" for group, number in pairs])
    if vr in TEXT_LISTS or vr in TEXTS:
        return _list(name, _texts(vr, raw, charset))
    if vr == b"PN":
        return _list(name, _person_names(raw, charset))
    return {"vr": name, "InlineBinary": base64.b64encode(raw).decode()}


def _list(name: str, values: list[Any]) -> JSON:
    if all(value in (None, "") for value in values):
        return {"vr": name}
    return {"vr": name, "Value": [None if value == "" else value for value in values]}


def _split(text: str) -> list[str]:
    return [part.strip(" \0") for part in text.split("\\")]


def _plain(raw: bytes) -> str:
    return raw.decode("latin-1").rstrip(" \0").replace("\0", "")


def _number(text: str, kind: Callable[[str], float | int]) -> float | int | str | None:
    try:
        number = kind(text)
        return number if math.isfinite(number) else text
    except (ValueError, OverflowError):  # of an integer beyond every float
        return text or None  # not a number: kept as it is (PS3.18 F.2.3 allows a string)


def _unpacked(raw: bytes, form: str) -> list[Any]:
    size = struct.calcsize(form)
    values = [v for (v,) in struct.iter_unpack(form, raw[: len(raw) // size * size])]
    return [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in values]


def _texts(vr: bytes, raw: bytes, charset: tuple[str, ...]) -> list[str]:
    text = _decoded(raw, charset, TEXT_VR_DELIMS)
    return [text.rstrip(" ")] if vr in TEXTS else _split(text)


def _person_names(raw: bytes, charset: tuple[str, ...]) -> list[JSON | None]:
    names = []
    for name in _decoded(raw, charset, PN_DELIMS).split("\\"):
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
        names.append({key: text.rstrip() for key, text in groups if text.strip()} or None)
    return names


def _decoded(raw: bytes, charset: tuple[str, ...], delimiters: set[int]) -> str:
    """Text in its character set (PS3.3 C.12.1.1.2); what cannot be decoded is replaced."""
    if raw.isascii() and b"\x1b" not in raw:
        return _plain(raw)
    with warnings.catch_warnings():  # a wrong character set is the sender's; the bytes are kept
        warnings.simplefilter("ignore")
        text = decode_bytes(raw, _encodings(charset), delimiters)
    return text.rstrip("\0").replace("\0", "")


@lru_cache(maxsize=256)
def _encodings(charset: tuple[str, ...]) -> list[str]:
    return list(convert_encodings(defined_terms(charset) or None))
