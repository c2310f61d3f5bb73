"""The node's own check: may these derived objects leave?

Everything that a validator cannot know is compared with the source: patient, study,
geometry, counts, references; and that the label is there in every form. Nothing is
changed; what is wrong becomes a finding, and the job is held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from dicom_profiles import inherited, uids
from dicom_profiles.checks.checked_object import OWN_TAGS, DerivedObject
from dicom_profiles.checks.iod import missing_attributes
from dicom_profiles.checks.kinds import IMAGE_CLASSES, PLACE_NOT_KEPT, own_findings
from dicom_profiles.dates import latest_date
from dicom_profiles.derived import PREFIX
from dicom_profiles.encoding.element_bytes import TO_UPPER_CASE
from dicom_profiles.overlay import GROUP as OVERLAY_GROUP
from dicom_profiles.provenance import PRIVATE_GROUP, read_private, text_sha256
from dicom_profiles.recognition.series import synthetic_signs
from dicom_profiles.sources.source import Sources

PLACE_TAGS = inherited.tags((*inherited.PLACE, "InstanceNumber"))
PLACE_KEYWORDS = {tag: pydicom.datadict.keyword_for_tag(tag) for tag in PLACE_TAGS}
UNREADABLE = (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError)
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

    pixels_sha256: str

    @classmethod
    def of(cls, found: DerivedObject, context: _Context) -> _Seen:
        """What matters of an object when it is compared with others."""
        return cls(
            found.path,
            str(found.ds.get("SOPInstanceUID", "")),
            str(found.ds.get("SeriesInstanceUID", "")),
            found.is_image,
            _source_index(found, context),
            found.references(),
            found.pixels_sha256,
        )


@dataclass(frozen=True, eq=False)
class _Context:
    """What objects are compared with."""

    sources: Sources
    headers: tuple[Dataset, ...]
    for_dispatch: bool
    source_index: dict[str, int]
    other_sources: frozenset[str]
    study_values: dict[int, str]
    latest_date: str
    good: set[Hashable] = field(default_factory=set)
    texts: dict[tuple[int, bytes], str] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Sources, for_dispatch: bool) -> _Context:
        """Everything that is compared often, worked out once."""
        reference, *others = sources.values()
        return cls(
            sources,
            reference.headers,
            for_dispatch,
            {uid: index for index, uid in enumerate(reference.sop_instance_uids)},
            frozenset(uid for other in others for uid in other.sop_instance_uids),
            {int(tag): _text(reference.headers[0], tag) for tag in inherited.STUDY_TAGS},
            latest_date(),
        )

    def same(self, ds: Dataset, header: Dataset, tag: int) -> bool:
        """Whether an attribute has the same value in both; equal bytes are not converted."""
        ours, theirs = ds.get_item(tag), header.get_item(tag)
        if ours is not None and theirs is not None and ours.value == theirs.value:
            return True
        return self.text(ds, tag) == _text(header, tag)

    def text(self, ds: Dataset, tag: int) -> str:
        """Value of an attribute as text; what slices have in common is converted once."""
        element = ds.get_item(tag)
        if element is None or not isinstance(element.value, bytes):
            return _text(ds, tag)
        key = (tag, element.value)
        if key not in self.texts:
            self.texts[key] = _text(ds, tag)
        return self.texts[key]


class Check:
    """Checks derived objects one after the other, then as a whole.

    Args:
        sources: what was read, by input key; the first gave the grid.
        for_dispatch: also refuse what must not leave the node (made without the gate).
    """

    def __init__(self, sources: Sources, for_dispatch: bool = False) -> None:
        self._context = _Context.of(sources, for_dispatch)
        self._seen: dict[Path, _Seen] = {}
        self._findings: dict[Path, list[Finding]] = {}

    def look(self, path: Path) -> None:
        """Check one object; what an earlier look at that path found does not count any more."""
        self._seen.pop(path, None)
        try:
            found = DerivedObject.read(path)
            seen = _Seen.of(found, self._context)
            sentences = list(_faults(found, seen, self._context))
            self._seen[path] = seen
        except UNREADABLE as error:
            sentences = [f"It cannot be read ({type(error).__name__})."]
        self._findings[path] = [Finding(path, sentence) for sentence in sentences]

    def conclude(self, paths: Iterable[Path]) -> list[Finding]:
        """What is wrong with these objects, each of which was looked at, and with them as a whole.

        Returns:
            Empty when the objects may leave.
        """
        files = list(paths)
        seen = [self._seen[path] for path in files if path in self._seen]
        folder = files[0].parent if files else Path()
        return [
            *(finding for path in files for finding in self._findings[path]),
            *(Finding(folder, sentence) for sentence in _series_faults(seen, self._context)),
            *_unknown_references(seen, self._context),
        ]


def check_derived(
    sources: Sources, paths: Path | Iterable[Path], for_dispatch: bool = False
) -> list[Finding]:
    """Check derived objects against their sources.

    Args:
        sources: as for `Check`.
        paths: a folder of derived files, or the files.
        for_dispatch: as for `Check`.

    Returns:
        What is wrong; empty when the objects may leave.
    """
    files = sorted(paths.glob("*.dcm")) if isinstance(paths, Path) else list(paths)
    check = Check(sources, for_dispatch)
    for path in files:
        check.look(path)
    return check.conclude(files)


def _faults(found: DerivedObject, seen: _Seen, context: _Context) -> Iterator[str]:
    """Everything wrong with one object.

    Images of one series share most of what they say: that is checked once, for each way in which
    it is said.
    """
    if found.shared is None or found.shared not in context.good:
        faults = list(_shared_faults(found, context))
        if not faults:
            context.good.add(found.shared)
        yield from faults
    for rule in _OWN_IMAGE_RULES if found.is_image else _OWN_RULES:
        yield from rule(found.ds, seen, context)
    yield from own_findings(found.ds, context.sources)


def _shared_faults(found: DerivedObject, context: _Context) -> Iterator[str]:
    """Faults in what the objects of one series share."""
    rules = _MASK_RULES if found.is_mask else _COMPANION_RULES
    for rule in _IMAGE_RULES if found.is_image else rules:
        yield from rule(found.ds, context)


def _labels(ds: Dataset, context: _Context) -> Iterator[str]:
    """The label, in every form that DICOM has (PS3.3 C.12.1)."""
    if ds.get("SyntheticData") != "YES":
        yield "Synthetic Data should be YES."
    if not str(ds.get("SeriesDescription", "")).startswith(PREFIX):
        yield f"Series Description should begin with {PREFIX}."
    if ds.get("ContentQualification") != "RESEARCH":
        yield "Content Qualification should be RESEARCH."
    wanted = SIGNS_WANTED["image" if ds.get("SOPClassUID") in IMAGE_CLASSES else "companion"]
    found = len(synthetic_signs(ds))
    if found < wanted:
        yield f"It should show {wanted} signs of a synthetic object, got {found}."


def _image_label(ds: Dataset, context: _Context) -> Iterator[str]:
    if (OVERLAY_GROUP, 0x3000) not in ds:
        yield "The overlay with the label is missing."
    if context.for_dispatch and read_private(ds, "verdict") == "UNGATED":
        yield "It was made without the gate, for research, and must not be sent by the node."


def _identity(ds: Dataset, context: _Context) -> Iterator[str]:
    """Patient and study as in the source, to the letter."""
    differing = [
        pydicom.datadict.keyword_for_tag(tag)
        for tag in inherited.STUDY_TAGS
        if _text(ds, tag) != context.study_values[int(tag)]
    ]
    if differing:
        yield f"It should have the source's {', '.join(sorted(differing))}."


def _uids(ds: Dataset, seen: _Seen, context: _Context) -> Iterator[str]:
    """New UIDs for new objects; one file meta that agrees."""
    uid = seen.sop_instance_uid
    if uid in context.source_index or uid in context.other_sources:
        yield "It has the SOP Instance UID of a source image."
    series = {source.series_instance_uid for source in context.sources.values()}
    if seen.series_instance_uid in series:
        yield "It has the Series Instance UID of the source."
    if not UID(uid).is_valid or str(ds.file_meta.get("MediaStorageSOPInstanceUID", "")) != uid:
        yield "SOP Instance UID should be valid and the same in the File Meta Information."


def _dates(ds: Dataset, context: _Context) -> Iterator[str]:
    """No date in the future, in any date attribute that a series shares."""
    return _late_dates(ds, ds.keys() - OWN_TAGS, context)


def _own_dates(ds: Dataset, seen: _Seen, context: _Context) -> Iterator[str]:
    """No date in the future, in any other."""
    return _late_dates(ds, ds.keys() & OWN_TAGS, context)


def _late_dates(ds: Dataset, tags: Iterable[int], context: _Context) -> Iterator[str]:
    for tag in tags:  # iterating over the data set itself would convert every value
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


def _place(ds: Dataset, seen: _Seen, context: _Context) -> Iterator[str]:
    """The slice lies where its source lies, string for string."""
    if seen.source_index is None:
        yield "Source Image Sequence should name exactly one image of the source."
        return
    header = context.headers[seen.source_index]
    not_kept = PLACE_NOT_KEPT.get(ds.SOPClassUID, frozenset())
    left_out = inherited.not_to_inherit(header)
    for tag, keyword in PLACE_KEYWORDS.items():
        if keyword not in not_kept and tag not in left_out and not context.same(ds, header, tag):
            yield f"{keyword} should be the source's."
    if (ds.get("Rows"), ds.get("Columns")) != (header.Rows, header.Columns):
        yield "Rows and Columns should be the source's."


def _pixels(ds: Dataset, seen: _Seen, context: _Context) -> Iterator[str]:
    """Pixels, digest and UID belong together."""
    found, digest, index = len(ds.get("PixelData") or b""), seen.pixels_sha256, seen.source_index
    size = int(ds.get("Rows", 0)) * int(ds.get("Columns", 0)) * int(ds.get("BitsAllocated", 0)) // 8
    if found != size:
        yield f"Pixel Data should have {size} bytes, got {found}."
    if read_private(ds, "output_pixels_sha256") != digest:
        yield "Pixel Data differs from the digest in the provenance."
    uid = seen.sop_instance_uid
    if index is not None and uids.instance_uid(seen.series_instance_uid, index, digest) != uid:
        yield "SOP Instance UID should be derived from series, slice and pixels."


def _provenance(ds: Dataset, context: _Context) -> Iterator[str]:
    record = read_private(ds, "record")
    if not isinstance(record, str) or text_sha256(record) != read_private(ds, "record_sha256"):
        yield "The provenance record should be there and match its digest."


def _series_faults(seen: Collection[_Seen], context: _Context) -> Iterator[str]:
    """What only shows when all objects have been looked at."""
    images = [one for one in seen if one.is_image]
    wanted = len(context.headers)
    if len(images) != wanted:
        yield f"There should be {wanted} images like in the source, got {len(images)}."
    elif {one.source_index for one in images} != set(range(wanted)):
        yield "Every source image should have exactly one derived image."
    if len({one.series_instance_uid for one in images}) > 1:
        yield "The images should form one series."
    if len({one.sop_instance_uid for one in seen}) != len(seen):
        yield "Every object should have a SOP Instance UID of its own."


def _unknown_references(seen: Collection[_Seen], context: _Context) -> Iterator[Finding]:
    """Every referenced instance is a source image or one of these objects."""
    known = (
        context.source_index.keys() | context.other_sources | {one.sop_instance_uid for one in seen}
    )
    for one in seen:
        unknown = sum(uid not in known for uid in one.referenced)
        if unknown:
            yield Finding(
                one.path,
                f"{unknown} referenced instance(s) are neither in the source nor among these "
                "objects.",
            )


def _source_index(found: DerivedObject, context: _Context) -> int | None:
    """Index of the slice of the reference that an image names, None when it names none or more.

    The slices of other inputs at the same place may be named beside it.
    """
    named = [uid for uid in found.source_images() if uid not in context.other_sources]
    return context.source_index.get(named[0]) if len(named) == 1 else None


def _text(ds: Dataset, tag: int) -> str:
    """Value of an attribute as text, "" when absent or empty; sequences compare as a whole.

    Code strings have no case (PS3.5 6.2): ours are upper, whatever the source's are.
    """
    if tag not in ds:
        return ""
    element = ds[tag]
    text = "" if element.is_empty else str(element.value)
    return text.translate(TO_UPPER_CASE) if element.VR == "CS" else text


_Rule = Callable[[Dataset, _Context], Iterator[str]]
_OwnRule = Callable[[Dataset, _Seen, _Context], Iterator[str]]
_MASK_RULES: tuple[_Rule, ...] = (_identity, _dates, _required, _private)
"""A mask of acquired pixels is no synthetic image and does not say that it is one."""
_COMPANION_RULES: tuple[_Rule, ...] = (_labels, *_MASK_RULES)
_IMAGE_RULES: tuple[_Rule, ...] = (*_COMPANION_RULES, _image_label, _provenance)
"""Rules that look at nothing but which of `OWN_TAGS` there are, and at all other elements."""
_OWN_RULES: tuple[_OwnRule, ...] = (_uids, _own_dates)
_OWN_IMAGE_RULES: tuple[_OwnRule, ...] = (*_OWN_RULES, _place, _pixels)
