"""Which attributes the standard wants at the top level of an object (PS3.3 annex A).

Types 1 and 2 of the mandatory modules, from the tables of the standard that highdicom
ships; conditions (1C, 2C) are not in those tables and stay the validators' work.
"""

from __future__ import annotations

from functools import lru_cache

from highdicom._standard_utils import (
    get_iod_module_map,
    get_module_attribute_map,
    get_sop_class_iod_map,
)
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

TREE_MODULES = frozenset({"sr-document-content"})
"""Modules whose rows describe the nodes of a tree, each with attributes of its own kind."""

NO_VALUE: tuple[object, ...] = (None, b"", "", [])
"""How an empty value looks, raw or converted."""


@lru_cache(maxsize=16)
def required_attributes(sop_class_uid: str) -> tuple[tuple[int, str, bool], ...]:
    """Tag, keyword and whether a value is needed (type 1), for every type 1 and 2 attribute.

    Empty for a SOP class that the tables do not know.
    """
    iod = get_sop_class_iod_map().get(sop_class_uid, "")
    modules = [
        module["key"]
        for module in get_iod_module_map().get(iod, [])
        if module["usage"] == "M" and module["key"] not in TREE_MODULES
    ]
    attributes = get_module_attribute_map()
    found: dict[int, tuple[int, str, bool]] = {}
    for module in modules:
        for row in attributes[module]:
            tag = tag_for_keyword(row["keyword"])
            if row["path"] or row["type"] not in ("1", "2") or tag is None:
                continue
            needs_value = row["type"] == "1" or (tag in found and found[tag][2])
            found[tag] = (tag, row["keyword"], needs_value)
    return tuple(found.values())


def load_tables() -> None:
    """Read the tables, which takes half a second, before an object is waited for."""
    required_attributes(CTImageStorage)


def missing_attributes(ds: Dataset) -> list[str]:
    """Keywords of required attributes that an object lacks, or has without a needed value."""
    present = ds.keys()
    return [
        keyword
        for tag, keyword, needs_value in required_attributes(str(ds.SOPClassUID))
        if tag not in present or (needs_value and ds.get_item(tag).value in NO_VALUE)
    ]
