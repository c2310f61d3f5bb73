"""The common profile: what every derived classic image carries.

A derived object is labelled in every way that DICOM has, names its sources, and
says who made it: the node, never the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage

from dicom_profiles import codes
from dicom_profiles.encoding.element_bytes import sequence_bytes, text_bytes
from dicom_profiles.encoding.part10 import ElementEncoder
from dicom_profiles.equipment import (
    INSTANCE_CREATOR_UID,
    MODEL_NAME,
    contributing_equipment,
    own_equipment,
)
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.overlay import overlay_plane
from dicom_profiles.provenance import Derivation, Provenance, private_characteristics
from dicom_profiles.sources.source import Source, Sources, reference_of

PREFIX = "SYNTHETIC"
"""Series Description begins with it: lists show this when they show nothing else."""
SERIES_NUMBER_BASE = 90_000
"""Derived series sort after everything acquired."""
SERIES_NUMBER_STEP = 1_000
LARGEST_INTEGER_STRING = 2**31 - 1
"""PS3.5 6.2, IS."""
REFERENCED_SERIES, REFERENCED_INSTANCES = 0x00081115, 0x0008114A
REFERENCED_CLASS, REFERENCED_INSTANCE = 0x00081150, 0x00081155
SOURCE_IMAGES, SERIES_INSTANCE_UID = 0x00082112, 0x0020000E
COMMENT = (
    "SYNTHETIC - AI GENERATED - NOT ACQUIRED. Research use only, not for primary diagnosis. "
    "Verify against the source images."
)
HEADS = ("HEAD", "BRAIN", "FACE", "SKULL", "NECK", "JAW", "ORBIT", "SINUS", "EAR")
"""Body parts whose images may show a face."""


@dataclass(frozen=True)
class DerivedKind:
    """What is made.

    Attributes:
        name: short name in the provenance, for example "DEN".
        number: place in the Series Number.
        title: words after the prefix in the Series Description.
        code: what was done, for Derivation Code Sequence.
        sentence: what was done, for Derivation Description.
    """

    name: str
    number: int
    title: str
    code: Code
    sentence: str


@dataclass(frozen=True)
class DerivedSeries:
    """One series that was written.

    Attributes:
        series_instance_uid: its UID.
        kind: short name, for example "DEN".
        paths: its files, in the order of the source's slices.
        sop_instance_uids: of the files.
        rescales: slope and intercept as written in each file; empty where not known, then the
            files are asked.
        sop_class_uid: of all of its objects.
    """

    series_instance_uid: str
    kind: str
    paths: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]
    rescales: tuple[tuple[str, str], ...] = ()
    sop_class_uid: str = CTImageStorage


def identification(source: Dataset, derivation: Derivation) -> Dataset:
    """SOP Common and General Equipment of any object of ours (PS3.3 C.12.1, C.7.5.1)."""
    ds = own_equipment(derivation.model, derivation.ae_title[:16])
    created = synthesis_time(source, derivation)
    ds.InstanceCreationDate, ds.InstanceCreationTime = created
    ds.SeriesDate, ds.SeriesTime = created
    ds.InstanceCreatorUID = INSTANCE_CREATOR_UID
    ds.SyntheticData = "YES"
    ds.ContentQualification = "RESEARCH"
    ds.InstanceOriginStatus = "LOCAL"
    ds.CodingSchemeIdentificationSequence = codes.coding_scheme_identification()
    ds.ContributingEquipmentSequence = contributing_equipment(
        source, derivation.model, derivation.ae_title[:16]
    )
    return ds


def image_common(sources: Sources, kind: DerivedKind, derivation: Derivation) -> Dataset:
    """What all images of a derived series share, the sources' own attributes apart."""
    header = reference_of(sources).headers[0]
    ds = identification(header, derivation)
    ds.ContentDate, ds.ContentTime = synthesis_time(header, derivation)
    ds.SeriesNumber = series_number(header, kind.number)
    ds.SeriesDescription = series_description(header, kind.title)
    ds.ProtocolName = f"{MODEL_NAME} {derivation.model.name} {derivation.model.version}"[:64]
    ds.PrivateDataElementCharacteristicsSequence = private_characteristics()
    ds.RelatedSeriesSequence = Sequence(related_series(sources))
    ds.DerivationDescription = derivation_description(kind, derivation)
    ds.DerivationCodeSequence = codes.code_sequence([kind.code])
    ds.ImageComments = COMMENT
    # PS3.3 C.7.6.1: burned-in means identifying the patient; the source's pixels may do so.
    ds.BurnedInAnnotation = "YES" if header.get("BurnedInAnnotation") == "YES" else "NO"
    features = header.get("RecognizableVisualFeatures") or _visual_features(header)
    if features:
        ds.RecognizableVisualFeatures = features
    ds.update(Provenance.of(kind.name, sources, derivation).block())
    ds.update(overlay_plane(*reference_of(sources).shape[1:]))
    return ds


def series_number(source: Dataset, number: int) -> int:
    """Series Number: 90000 + 1000 x kind + the source's number, where that leaves an IS."""
    try:
        own = int(source.get("SeriesNumber") or 0)
    except (ValueError, TypeError, OverflowError):
        own = 0
    place = SERIES_NUMBER_BASE + SERIES_NUMBER_STEP * number
    return place + own if 0 <= own <= LARGEST_INTEGER_STRING - place else place


def series_description(source: Dataset, title: str) -> str:
    """Series Description: the prefix, what was done, what the source was called."""
    called = str(source.get("SeriesDescription") or "").strip()
    if "\N{REPLACEMENT CHARACTER}" in called:
        called = ""  # the source broke its own character set; ours stays whole
    return f"{PREFIX} {title} {called}".strip()[:64].strip()


def derivation_description(kind: DerivedKind, derivation: Derivation) -> str:
    """Derivation Description: what, by which model and weights, and the label."""
    model = derivation.model
    text = (
        f"{PREFIX}. {kind.sentence} Model {model.name} {model.version}, weights sha256 "
        f"{model.weights_sha256[:16]}, QC {derivation.qc_verdict}. {COMMENT}"
    )
    if model.trained_on_simulation:
        text += " The model was trained on simulated data."
    if derivation.qc_verdict == "UNGATED":
        text += " Made without the applicability gate, for research; not to be distributed."
    return text


def source_references(*headers: Dataset) -> Dataset:
    """Source Image and Referenced Series of one slice (PS3.3 C.7.6.1, C.12.2).

    Args:
        headers: of the source slices at its place, one an input, the reference first.
    """
    images: list[Dataset] = []
    series: dict[str, list[Dataset]] = {}
    for header in headers:
        image = _reference(header)
        image.PurposeOfReferenceCodeSequence = codes.code_sequence([codes.SOURCE_IMAGE])
        image.SpatialLocationsPreserved = "YES"
        images.append(image)
        series.setdefault(str(header.SeriesInstanceUID), []).append(_reference(header))
    ds = Dataset()
    ds.SourceImageSequence = Sequence(images)
    ds.ReferencedSeriesSequence = Sequence(map(_referenced_series, series.items()))
    return ds


def encoded_references(*headers: Dataset) -> dict[int, bytes]:
    """The same as `source_references`, as encoded elements: a series has thousands of them."""
    images: list[bytes] = []
    series: dict[str, list[bytes]] = {}
    for header in headers:
        instance = text_bytes(REFERENCED_CLASS, "UI", str(header.SOPClassUID)) + text_bytes(
            REFERENCED_INSTANCE, "UI", str(header.SOPInstanceUID)
        )
        images.append(instance + _image_purpose())
        series.setdefault(str(header.SeriesInstanceUID), []).append(instance)
    named = [
        sequence_bytes(REFERENCED_INSTANCES, instances) + text_bytes(SERIES_INSTANCE_UID, "UI", uid)
        for uid, instances in series.items()
    ]
    return {
        SOURCE_IMAGES: sequence_bytes(SOURCE_IMAGES, images),
        REFERENCED_SERIES: sequence_bytes(REFERENCED_SERIES, named),
    }


@lru_cache(maxsize=1)
def _image_purpose() -> bytes:
    """What the items of all source images end with, encoded."""
    ds = Dataset()
    ds.SpatialLocationsPreserved = "YES"
    ds.PurposeOfReferenceCodeSequence = codes.code_sequence([codes.SOURCE_IMAGE])
    return b"".join(ElementEncoder(None).encode(ds).values())


def _referenced_series(named: tuple[str, list[Dataset]]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID, item.ReferencedInstanceSequence = named[0], Sequence(named[1])
    return item


def synthesis_time(source: Dataset, derivation: Derivation) -> tuple[str, str]:
    """Date and time of synthesis as DA and TM, in the time zone of the source's header."""
    zone = utc_offset(source)
    created = derivation.created.astimezone(zone) if zone else derivation.created
    return created.strftime("%Y%m%d"), created.strftime("%H%M%S")


def utc_offset(ds: Dataset) -> timezone | None:
    """Timezone Offset From UTC (0008,0201) of a header, None when absent or wrong."""
    text = str(ds.get("TimezoneOffsetFromUTC") or "").strip()
    try:
        offset = datetime.strptime(text, "%z").utcoffset()
    except ValueError:
        return None
    return timezone(offset) if offset is not None and abs(offset) < timedelta(hours=15) else None


def refuse_anonymous(sources: Sources) -> None:
    """A derived object needs every UID of its sources to refer to (PS3.3 C.12.1)."""
    wanted = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    for header in (header for source in sources.values() for header in source.headers):
        missing = [keyword for keyword in wanted if not header.get(keyword)]
        if missing:
            raise DerivedObjectError(
                f"A source slice needs {', '.join(missing)} to be referred to, which it lacks; "
                "send the series through a DICOM node."
            )


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def related_series(sources: Sources) -> list[Dataset]:
    """Items of Related Series Sequence (0008,1250): each source series once."""
    series = {source.series_instance_uid: source for source in sources.values()}
    return [_related(source) for source in series.values()]


def _related(source: Source) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = source.study_instance_uid
    item.SeriesInstanceUID = source.series_instance_uid
    item.PurposeOfReferenceCodeSequence = codes.code_sequence([codes.SOURCE_SERIES])
    return item


def _visual_features(header: Dataset) -> str:
    """NO where the body part shows no face, "" where it may or is not known."""
    body_part = str(header.get("BodyPartExamined") or "").upper()
    return "NO" if body_part and not any(part in body_part for part in HEADS) else ""
