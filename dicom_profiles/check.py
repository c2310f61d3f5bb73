"""The node's own check: may these derived objects leave?

Everything that a validator cannot know is compared with the source: patient, study,
geometry, counts, references; and that the label is there in every form. Nothing is
changed; what is wrong becomes a finding, and the job is held.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, SegmentationStorage

from dicom_profiles import inherited, uids
from dicom_profiles.check_kinds import IMAGE_CLASSES, PLACE_NOT_KEPT, own_findings
from dicom_profiles.derived import PREFIX
from dicom_profiles.iod import missing_attributes
from dicom_profiles.overlay import GROUP as OVERLAY_GROUP
from dicom_profiles.provenance import PRIVATE_GROUP, read_private, text_sha256
from dicom_profiles.recognition import synthetic_signs
from dicom_profiles.source import Source, Sources, reference_of

WESTERNMOST_CLOCK = timedelta(hours=14)
"""Local dates run up to this far ahead of UTC."""
PLACE_TAGS = inherited.tags((*inherited.PLACE, "InstanceNumber"))
SIGN_TAGS = inherited.tags(
    (
        "SyntheticData",
        "ContributingEquipmentSequence",
        "InstanceCreatorUID",
        "DeviceUID",
        "Manufacturer",
        "ImageType",
        "DerivationCodeSequence",
    )
)
REFERENCED_UID = re.compile(rb"\x08\x00\x55\x11UI(..)", re.DOTALL)
"""Tag (0008,1155) and its VR in little-endian bytes, then the length of its value."""
SOURCE_IMAGES = 0x00082112
SIGNS_WANTED = {"image": 5, "companion": 3}
"""How many of the five signs an object of ours must show; a report has no Image Type."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a derived object.

    Attributes:
        path: the file, or the folder when a file is missing.
        sentence: what was wanted and what was found; no patient attribute.
    """

    path: Path
    sentence: str


@dataclass(frozen=True)
class _Seen:
    """What is kept of an object after it was checked: no pixels."""

    path: Path
    sop_instance_uid: str
    series_instance_uid: str
    is_image: bool
    source_index: int | None
    referenced: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, ds: Dataset, context: _Context) -> _Seen:
        """What matters of an object once its own faults are known."""
        return cls(
            path,
            str(ds.get("SOPInstanceUID", "")),
            str(ds.get("SeriesInstanceUID", "")),
            ds.get("SOPClassUID") in IMAGE_CLASSES,
            _source_index(ds, context),
            tuple(_referenced(ds)),
        )


@dataclass(frozen=True, eq=False)
class _Context:
    """What objects are compared with, and what was seen so far."""

    sources: Sources
    for_dispatch: bool
    source_index: dict[str, int]
    other_sources: frozenset[str]
    study_values: dict[int, str]
    latest_date: str
    seen: list[_Seen] = field(default_factory=list)
    good: set[tuple[int, bytes]] = field(default_factory=set)
    signs: dict[tuple[tuple[int, object], ...], int] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Sources, for_dispatch: bool) -> _Context:
        """Everything that is compared often, worked out once."""
        reference, *others = sources.values()
        first = reference.headers[0]
        return cls(
            sources,
            for_dispatch,
            {uid: index for index, uid in enumerate(reference.sop_instance_uids)},
            frozenset(uid for other in others for uid in other.sop_instance_uids),
            {int(tag): _text(first, tag) for tag in inherited.STUDY_TAGS},
            (datetime.now(UTC) + WESTERNMOST_CLOCK).strftime("%Y%m%d"),
        )

    @property
    def reference(self) -> Source:
        """The source that gave the grid."""
        return reference_of(self.sources)


def check_derived(
    sources: Sources, paths: Path | Iterable[Path], for_dispatch: bool = False
) -> list[Finding]:
    """Check derived objects against their sources, one after the other.

    Args:
        sources: what was read, by input key; the first gave the grid.
        paths: a folder of derived files, or the files.
        for_dispatch: also refuse what must not leave the node (made without the gate).

    Returns:
        What is wrong; empty when the objects may leave.
    """
    files = sorted(paths.glob("*.dcm")) if isinstance(paths, Path) else list(paths)
    context = _Context.of(sources, for_dispatch)
    findings: list[Finding] = []
    for path in files:
        try:
            ds = pydicom.dcmread(path)
            findings.extend(Finding(path, sentence) for sentence in _faults(ds, context))
            context.seen.append(_Seen.of(path, ds, context))
        except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError) as e:
            findings.append(Finding(path, f"It cannot be read ({type(e).__name__})."))
    folder = paths if isinstance(paths, Path) else (files[0].parent if files else Path())
    findings.extend(Finding(folder, sentence) for sentence in _series_faults(context))
    findings.extend(_unknown_references(context))
    return findings


def _faults(ds: Dataset, context: _Context) -> Iterator[str]:
    """Everything wrong with one object."""
    sop_class = ds.get("SOPClassUID")
    rules = _MASK_RULES if sop_class == SegmentationStorage else _COMPANION_RULES
    for rule in _IMAGE_RULES if sop_class in IMAGE_CLASSES else rules:
        yield from rule(ds, context)
    yield from own_findings(ds, context.sources)


def _labels(ds: Dataset, context: _Context) -> Iterator[str]:
    """The label, in every form that DICOM has (PS3.3 C.12.1)."""
    if ds.get("SyntheticData") != "YES":
        yield "Synthetic Data should be YES."
    if not str(ds.get("SeriesDescription", "")).startswith(PREFIX):
        yield f"Series Description should begin with {PREFIX}."
    if ds.get("ContentQualification") != "RESEARCH":
        yield "Content Qualification should be RESEARCH."
    wanted = SIGNS_WANTED["image" if ds.get("SOPClassUID") in IMAGE_CLASSES else "companion"]
    found = _sign_count(ds, context)
    if found < wanted:
        yield f"It should show {wanted} signs of a synthetic object, got {found}."


def _sign_count(ds: Dataset, context: _Context) -> int:
    """How many of the five signs an object shows; slices of one series all look the same."""
    elements = [ds.get_item(tag) for tag in SIGN_TAGS if tag in ds]
    key = tuple((int(e.tag), e.value) for e in elements if e is not None and e.is_raw)
    if key not in context.signs:
        context.signs[key] = len(synthetic_signs(ds))
    return context.signs[key]


def _image_label(ds: Dataset, context: _Context) -> Iterator[str]:
    if (OVERLAY_GROUP, 0x3000) not in ds:
        yield "The overlay with the label is missing."
    if context.for_dispatch and read_private(ds, "verdict") == "UNGATED":
        yield "It was made without the gate, for research, and must not be sent by the node."


def _identity(ds: Dataset, context: _Context) -> Iterator[str]:
    """Patient and study as in the source, to the letter."""
    differing = []
    for tag in inherited.STUDY_TAGS:
        element = ds.get_item(tag) if tag in ds else None
        raw = element.value if element is not None and element.is_raw else None
        if isinstance(raw, bytes) and (int(tag), raw) in context.good:
            continue
        if _text(ds, tag) != context.study_values[int(tag)]:
            differing.append(pydicom.datadict.keyword_for_tag(tag))
        elif isinstance(raw, bytes):
            context.good.add((int(tag), raw))
    if differing:
        yield f"It should have the source's {', '.join(sorted(differing))}."


def _uids(ds: Dataset, context: _Context) -> Iterator[str]:
    """New UIDs for new objects; one file meta that agrees."""
    uid = str(ds.get("SOPInstanceUID", ""))
    if uid in context.source_index or uid in context.other_sources:
        yield "It has the SOP Instance UID of a source image."
    series = {source.series_instance_uid for source in context.sources.values()}
    if str(ds.get("SeriesInstanceUID", "")) in series:
        yield "It has the Series Instance UID of the source."
    if not UID(uid).is_valid or str(ds.file_meta.get("MediaStorageSOPInstanceUID", "")) != uid:
        yield "SOP Instance UID should be valid and the same in the File Meta Information."


def _dates(ds: Dataset, context: _Context) -> Iterator[str]:
    """No date in the future, in any date attribute."""
    tags = ds.keys()  # iterating over the data set itself would convert every value
    for tag in tags:
        element = ds.get_item(tag)
        if element is None or element.VR not in ("DA", "DT") or not element.value:
            continue
        value = element.value
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        if text[:8] > context.latest_date:
            yield f"{pydicom.datadict.keyword_for_tag(tag)} is in the future."


def _required(ds: Dataset, context: _Context) -> Iterator[str]:
    missing = missing_attributes(ds)
    if missing:
        yield f"Attributes that the standard requires are missing: {', '.join(missing)}."


def _private(ds: Dataset, context: _Context) -> Iterator[str]:
    """Private elements of the source would lie about an object that another device made."""
    tags = ds.keys()
    foreign = {t.group for t in tags if t.is_private and t.group != PRIVATE_GROUP}
    if foreign:
        yield f"Private groups should be 0099 only, got {len(foreign)} other(s)."


def _place(ds: Dataset, context: _Context) -> Iterator[str]:
    """The slice lies where its source lies, string for string."""
    index = _source_index(ds, context)
    if index is None:
        yield "Source Image Sequence should name exactly one image of the source."
        return
    header = context.reference.headers[index]
    not_kept = PLACE_NOT_KEPT.get(ds.SOPClassUID, frozenset())
    for tag in PLACE_TAGS:
        if pydicom.datadict.keyword_for_tag(tag) in not_kept:
            continue
        if _text(ds, tag) != _text(header, tag):
            yield f"{pydicom.datadict.keyword_for_tag(tag)} should be the source's."
    if (ds.get("Rows"), ds.get("Columns")) != (header.Rows, header.Columns):
        yield "Rows and Columns should be the source's."


def _pixels(ds: Dataset, context: _Context) -> Iterator[str]:
    """Pixels, digest and UID belong together."""
    pixels = ds.get("PixelData") or b""
    size = int(ds.get("Rows", 0)) * int(ds.get("Columns", 0)) * int(ds.get("BitsAllocated", 0)) // 8
    digest = hashlib.sha256(pixels).hexdigest()
    if len(pixels) != size:
        yield f"Pixel Data should have {size} bytes, got {len(pixels)}."
    if read_private(ds, "output_pixels_sha256") != digest:
        yield "Pixel Data differs from the digest in the provenance."
    index = _source_index(ds, context)
    series = str(ds.get("SeriesInstanceUID", ""))
    if index is not None and uids.instance_uid(series, index, digest) != ds.get("SOPInstanceUID"):
        yield "SOP Instance UID should be derived from series, slice and pixels."


def _provenance(ds: Dataset, context: _Context) -> Iterator[str]:
    record = read_private(ds, "record")
    if not isinstance(record, str) or text_sha256(record) != read_private(ds, "record_sha256"):
        yield "The provenance record should be there and match its digest."


def _series_faults(context: _Context) -> Iterator[str]:
    """What only shows when all objects have been looked at."""
    images = [seen for seen in context.seen if seen.is_image]
    wanted = len(context.reference)
    if len(images) != wanted:
        yield f"There should be {wanted} images like in the source, got {len(images)}."
    elif {seen.source_index for seen in images} != set(range(wanted)):
        yield "Every source image should have exactly one derived image."
    if len({seen.series_instance_uid for seen in images}) > 1:
        yield "The images should form one series."
    if len({seen.sop_instance_uid for seen in context.seen}) != len(context.seen):
        yield "Every object should have a SOP Instance UID of its own."


def _unknown_references(context: _Context) -> Iterator[Finding]:
    """Every referenced instance is a source image or one of these objects."""
    known = (
        context.source_index.keys()
        | context.other_sources
        | {seen.sop_instance_uid for seen in context.seen}
    )
    for seen in context.seen:
        unknown = sum(uid not in known for uid in seen.referenced)
        if unknown:
            yield Finding(
                seen.path,
                f"{unknown} referenced instance(s) are neither in the source nor among these "
                "objects.",
            )


def _source_index(ds: Dataset, context: _Context) -> int | None:
    """Index of the slice of the reference that an image names, None when it names none or more.

    The slices of other inputs at the same place may be named beside it.
    """
    named = [uid for uid in _referenced_in(ds, SOURCE_IMAGES) if uid not in context.other_sources]
    return context.source_index.get(named[0]) if len(named) == 1 else None


def _referenced(ds: Dataset) -> Iterator[str]:
    """Every Referenced SOP Instance UID at any depth."""
    tags = list(ds.keys())
    for tag in tags:
        element = ds.get_item(tag)
        if element is not None and element.VR == "SQ":
            yield from _referenced_in(ds, tag)


def _referenced_in(ds: Dataset, tag: int) -> Iterator[str]:
    """Every Referenced SOP Instance UID in one sequence.

    Sequences come as bytes in Explicit VR Little Endian; thousands of items are searched
    there, since making data sets of them takes most of the check's time.
    """
    element = ds.get_item(tag)
    if element is None:
        return
    if isinstance(element.value, bytes):
        for match in REFERENCED_UID.finditer(element.value):
            start, length = match.end(), int.from_bytes(match.group(1), "little")
            yield element.value[start : start + length].decode("ascii", "replace").rstrip("\0")
        return
    for item in element.value or []:
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID)
        yield from _referenced(item)


def _text(ds: Dataset, tag: int) -> str:
    """Value of an attribute as text, "" when absent or empty; sequences compare as a whole."""
    if tag not in ds:
        return ""
    element = ds[tag]
    return "" if element.is_empty else str(element.value)


_Rule = Callable[[Dataset, _Context], Iterator[str]]
_MASK_RULES: tuple[_Rule, ...] = (_identity, _uids, _dates, _required, _private)
"""A mask of acquired pixels is no synthetic image and does not say that it is one."""
_COMPANION_RULES: tuple[_Rule, ...] = (_labels, *_MASK_RULES)
_IMAGE_RULES: tuple[_Rule, ...] = (
    *_COMPANION_RULES,
    _image_label,
    _place,
    _pixels,
    _provenance,
)
