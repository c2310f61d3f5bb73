"""A data set as Native DICOM Model XML (PS3.19 A.1), made from its DICOM JSON (PS3.18 F)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from pydicom.datadict import keyword_for_tag

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def native_xml(data_set: Mapping[str, Any]) -> bytes:
    """The XML document, UTF-8.

    Args:
        data_set: DICOM JSON whose values are texts, numbers or items: no bulk data, no names.
    """
    root = ElementTree.Element("NativeDicomModel", {"xmlns": NAMESPACE, "xml:space": "preserve"})
    _add_attributes(root, data_set)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_attributes(parent: ElementTree.Element, data_set: Mapping[str, Any]) -> None:
    for tag, element in sorted(data_set.items()):
        facts = {"tag": tag, "vr": element["vr"], "keyword": keyword_for_tag(tag)}
        attribute = ElementTree.SubElement(parent, "DicomAttribute", facts)
        for number, value in enumerate(element.get("Value", ()), start=1):
            name = "Item" if element["vr"] == "SQ" else "Value"
            child = ElementTree.SubElement(attribute, name, {"number": str(number)})
            if name == "Item":
                _add_attributes(child, value)
            else:
                child.text = str(value)
