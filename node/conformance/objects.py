"""Attribute tables of the objects that we create, made from objects that were really written.

Two phantom sources that differ in all that may differ go through the real writers, random values
standing for a translation. What is the same in both results is fixed, what follows its own source
is copied, the rest is made for each object.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import ELEMENTS, Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_source
from dicom_profiles.sources.source import Source, reference_of
from dicom_profiles.writers import writer_for
from node.conformance.sources import SLICES, VARIANTS, Variant, write_source
from pipelines import catalog
from pipelines.contract import EngineFacts, QualityRecord

REPORT = "Report of every pipeline: Comprehensive 3D SR, TID 1500"
LABEL = "Label of every pipeline: Grayscale Softcopy Presentation State"
LONGEST_VALUE = 64
NOT_OPENED = ("ContentSequence", "SharedFunctionalGroupsSequence")
"""Sequences whose items are a tree of their own, described by a template."""

COPIED, FIXED, MADE = "copied from the source", "fixed", "made for each object"

Path_ = tuple[tuple[int, int], ...]
"""(tag, item) from the top of a data set to an element."""


@dataclass(frozen=True)
class AttributeRow:
    """One attribute of a created object.

    Attributes:
        depth: 0 at the top of the data set, 1 in an item of a sequence.
        tag: as (gggg,eeee).
        name: of the attribute.
        vr: its value representation.
        origin: copied, fixed or made.
        value: of a fixed attribute, shortened.
    """

    depth: int
    tag: str
    name: str
    vr: str
    origin: str
    value: str


def created_objects() -> dict[str, list[AttributeRow]]:
    """The attribute table of every kind of object that the installed pipelines give."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_write(variant, Path(folder)) for variant in VARIANTS)
    return {
        name: list(_rows(made.dataset, second[name].dataset, made.source, second[name].source))
        for name, made in first.items()
    }


@dataclass(frozen=True)
class _Made:
    """An object, and the header of the source that gave its grid."""

    dataset: Dataset
    source: Dataset


def _write(variant: Variant, folder: Path) -> dict[str, _Made]:
    """Write what every pipeline derives of its sources; one object of each kind, by its name."""
    made: dict[str, _Made] = {}
    for name in catalog.names():
        place = folder / f"{name}-{variant.number}"
        sources = _sources(variant, name, place)
        reference = reference_of(sources)
        random = np.random.default_rng(variant.number)
        images = random.random(reference.shape, np.float32)
        districts = np.full(reference.shape, variant.number, np.uint8)
        derivation, header = _derivation(variant), reference.headers[0]
        write = writer_for(name)
        derived = write(sources, iter(images), {"districts": districts}, derivation, place)
        report = write_qc_report(sources, derived, derivation, place)
        label = write_label(sources, derived[0], derivation, place)
        title = catalog.card(name).title
        for series in derived:
            sop_class = UID(series.sop_class_uid).name.removesuffix(" Storage")
            made[f"{title}: {sop_class}"] = _Made(pydicom.dcmread(series.paths[0]), header)
        made.setdefault(REPORT, _Made(pydicom.dcmread(report.paths[0]), header))
        made.setdefault(LABEL, _Made(pydicom.dcmread(label.paths[0]), header))
    return made


def _sources(variant: Variant, pipeline: str, folder: Path) -> dict[str, Source]:
    """Phantoms for the set of inputs that a pipeline prefers."""
    card = catalog.card(pipeline)
    return {
        key: open_source(
            write_source(variant, card.inputs[key].scope.modality, place, folder / key)
        )
        for place, key in enumerate(card.accepted_sets[0])
    }


def _derivation(variant: Variant) -> Derivation:
    model = {"name": "sample", "version": f"{variant.number}.0.0", "weights_sha256": "0" * 64}
    record = QualityRecord(
        verdict=("GREEN", "AMBER")[variant.number - 1],
        reasons=(variant.text,),
        input_distance=float(variant.number),
        measurements={"noise_before_hu": 30.0 * variant.number, "noise_after_hu": 10.0},
        parameters={"strength": 1.0 / variant.number},
        model=model,
        engine=EngineFacts("torch", "cpu", variant.text, "fp32", {}, 0.0),
        slices=SLICES,
    )
    return Derivation(
        model=ModelIdentity(
            f"sample{variant.number}", f"{variant.number}.0.0", f"{variant.number}" * 64, True
        ),
        parameters=record.parameters,
        record=record.to_json(),
        qc_verdict=record.verdict,
        input_distance=record.input_distance,
        created=datetime(2025, variant.number, 7, 8, 9, variant.number, tzinfo=UTC),
        ae_title=f"NODE{variant.number}",
    )


def _rows(
    first: Dataset, second: Dataset, source: Dataset, other_source: Dataset
) -> Iterator[AttributeRow]:
    """The table of one kind of object, from the two that were written."""
    flat, flat_other = dict(_flat(first)), dict(_flat(second))
    known, known_other = dict(_flat(source)), dict(_flat(other_source))
    for path, element in flat.items():
        value, other = _text(element), _text(flat_other.get(path))
        varied = _text(known.get(path)) != _text(known_other.get(path))
        origin = FIXED if value == other else MADE
        if path in known and value == _text(known[path]) and other == _text(known_other.get(path)):
            origin = COPIED if varied or value != other else FIXED
        shown = value if origin == FIXED and element.VR != "SQ" else ""
        name = element.name.strip("[]") if not element.tag.is_private else _private_name(element)
        tag = f"({element.tag.group:04X},{element.tag.element:04X})"
        yield AttributeRow(len(path) - 1, tag, name, str(element.VR), origin, _short(shown))


def _flat(ds: Dataset, above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Elements of the data set and of the items one level below, in order of their tags."""
    for element in ds:
        path = (*above, (int(element.tag), 0))
        yield path, element
        if element.VR == "SQ" and not above and element.keyword not in NOT_OPENED:
            for index, item in enumerate(element.value):
                yield from _flat(item, ((int(element.tag), index),))


def _text(element: Any) -> str:
    if element is None:
        return "absent"
    if element.VR == "SQ":
        return repr([item.to_json() for item in element.value])
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes, SHA-256 {hashlib.sha256(element.value).hexdigest()}"
    if isinstance(element.value, MultiValue | list):
        return "\\".join(map(str, element.value))
    return str(element.value) if element.VM != 0 else ""


def _private_name(element: Any) -> str:
    offsets: Mapping[int, str] = {offset: name for name, (offset, _) in ELEMENTS.items()}
    name = offsets.get(element.tag.element & 0xFF, "private creator")
    return f"Provenance: {name.replace('_', ' ')}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
