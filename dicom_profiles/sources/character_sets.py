"""Specific Character Set (0008,0005) in the words of the standard (PS3.3 C.12.1.1.2).

Some senders write "ISO_IR_192" or "UTF-8". What they mean is plain and the bytes of their texts are
right, but under a misspelt term a viewer shows another name, and derived objects would be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset

REGISTERED = re.compile(r"ISO[ _-]?IR[ _-]?(\d+)", re.IGNORECASE)
WITH_EXTENSIONS = re.compile(r"ISO[ _-]?2022[ _-]?IR[ _-]?(\d+)", re.IGNORECASE)
OTHER_NAMES: Mapping[str, str] = {
    "UTF8": "ISO_IR 192",
    "UNICODE": "ISO_IR 192",
    "LATIN1": "ISO_IR 100",
    "ISO88591": "ISO_IR 100",
}


def defined_term(written: str) -> str:
    """The defined term that was meant; what is unknown stays as it is."""
    if match := REGISTERED.fullmatch(written):
        return f"ISO_IR {match[1]}"
    if match := WITH_EXTENSIONS.fullmatch(written):
        return f"ISO 2022 IR {match[1]}"
    return OTHER_NAMES.get(re.sub("[ _-]", "", written).upper(), written)


def defined_terms(written: Sequence[str]) -> list[str]:
    """The defined term of each value."""
    return [defined_term(value) for value in written]


def spell_out(header: Dataset) -> None:
    """Put the defined terms into a header of which no text has been read yet."""
    found = header.get("SpecificCharacterSet") or []
    written = [found] if isinstance(found, str) else list(found)
    terms = defined_terms(written)
    if terms == written:
        return
    header.SpecificCharacterSet = terms
    implicit, little = header.original_encoding
    header.set_original_encoding(implicit, little, convert_encodings(terms))
