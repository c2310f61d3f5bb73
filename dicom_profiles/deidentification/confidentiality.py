"""PS3.15 table E.1-1, the Basic Application Level Confidentiality Profile, as actions by tag.

The table itself comes from the package dicom-anonymizer, which makes it from the standard's own
text (edition 2026c); which of an action's alternatives applies is decided here, by what the IOD
asks for.
"""

from __future__ import annotations

from functools import lru_cache

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.tag import BaseTag

EDITION = "2026c"

ACTIONS: tuple[tuple[str, list[tuple[int, ...]]], ...] = (
    ("D", table.D_TAGS),
    ("Z", table.Z_TAGS),
    ("X", table.X_TAGS),
    ("U", table.U_TAGS),
    ("Z/D", table.Z_D_TAGS),
    ("X/Z", table.X_Z_TAGS),
    ("X/D", table.X_D_TAGS),
    ("X/Z/D", table.X_Z_D_TAGS),
    ("X/Z/U", table.X_Z_U_STAR_TAGS),
)
"""PS3.15 table E.1-1a: X remove, Z empty, D dummy, U another UID; with `/` the IOD decides."""

BY_TAG = {
    (rows[0] << 16) | rows[1]: action for action, tags in ACTIONS for rows in tags if len(rows) == 2
}
REPEATING = [
    ((rows[0] << 16) | rows[1], (rows[2] << 16) | rows[3], action)
    for action, tags in ACTIONS
    for rows in tags
    if len(rows) == 4
]
"""(tag, mask, action) of repeating groups, 50xx and 60xx."""

FREE_VRS = frozenset({"PN", "LT", "ST", "UT", "UC", "UR", "UN", "AE", "AS", "DA", "DT", "TM", "OB"})
"""Outside the table, values of these may still tell who or when; they are removed."""

PIXELS = frozenset({0x7FE00010, 0x7FE00001, 0x7FE00002})
"""Pixel Data and its offset tables stay as they are."""


@lru_cache(maxsize=4096)
def action_of(tag: int, vr: str, attribute_type: str) -> str:
    """What is done to an element: `keep`, `remove`, `empty`, `dummy` or `uid`.

    Args:
        tag: of the element.
        vr: its value representation.
        attribute_type: in the IOD: `1` needs a value, `2` may be empty, `3` may be absent.
    """
    if tag in PIXELS:
        return "keep"
    if BaseTag(tag).is_private or 0x50000000 <= tag < 0x70000000:
        return "remove"  # graphics planes may carry burnt-in names
    action = BY_TAG.get(tag) or next((a for t, m, a in REPEATING if tag & m == t), "")
    if action:
        return _resolved(action, attribute_type)
    if vr == "UI":
        return "uid"
    return "remove" if vr in FREE_VRS else "keep"


def _resolved(action: str, attribute_type: str) -> str:
    """The least that the IOD allows of a row's alternatives (PS3.15 E.1.1)."""
    choices = action.split("/")
    if attribute_type == "1":
        best = choices[-1]
    elif attribute_type == "2":
        best = "Z" if {"X", "Z"} & set(choices) else choices[-1]
    else:
        best = choices[0]
    return {"X": "remove", "Z": "empty", "D": "dummy", "U": "uid"}[best]
