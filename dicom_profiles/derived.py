"""The common profile: what every derived classic image carries.

A derived object is labelled in every way that DICOM has, names its sources, and
says who made it: the node, never the scanner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from dicom_profiles import codes
from dicom_profiles.equipment import (
    INSTANCE_CREATOR_UID,
    MODEL_NAME,
    contributing_equipment,
    own_equipment,
)
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import Derivation, private_characteristics
from dicom_profiles.series import SourceSeries

PREFIX = "SYNTHETIC"
"""Series Description begins with it: lists show this when they show nothing else."""
SERIES_NUMBER_BASE = 90_000
"""Derived series sort after everything acquired."""
SERIES_NUMBER_STEP = 1_000
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
    """

    series_instance_uid: str
    kind: str
    paths: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]
    rescales: tuple[tuple[str, str], ...] = ()


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


def image_common(source: SourceSeries, kind: DerivedKind, derivation: Derivation) -> Dataset:
    """What all images of a derived series share, the source's own attributes apart."""
    header = source.headers[0]
    ds = identification(header, derivation)
    ds.ContentDate, ds.ContentTime = synthesis_time(header, derivation)
    ds.SeriesNumber = series_number(header, kind.number)
    ds.SeriesDescription = series_description(header, kind.title)
    ds.ProtocolName = f"{MODEL_NAME} {derivation.model.name} {derivation.model.version}"[:64]
    ds.PrivateDataElementCharacteristicsSequence = private_characteristics()
    ds.RelatedSeriesSequence = Sequence([_related(source)])
    ds.DerivationDescription = derivation_description(kind, derivation)
    ds.DerivationCodeSequence = codes.code_sequence([kind.code])
    ds.ImageComments = COMMENT
    # PS3.3 C.7.6.1: burned-in means identifying the patient; the source's pixels may do so.
    ds.BurnedInAnnotation = "YES" if header.get("BurnedInAnnotation") == "YES" else "NO"
    features = header.get("RecognizableVisualFeatures") or _visual_features(header)
    if features:
        ds.RecognizableVisualFeatures = features
    return ds


def series_number(source: Dataset, number: int) -> int:
    """Series Number: 90000 + 1000 x kind + the source's number."""
    try:
        own = int(source.get("SeriesNumber") or 0)
    except (ValueError, TypeError):
        own = 0
    return SERIES_NUMBER_BASE + SERIES_NUMBER_STEP * number + max(own, 0)


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


def source_references(source: Dataset) -> Dataset:
    """Source Image and Referenced Series of one slice (PS3.3 C.7.6.1, C.12.2)."""
    image = _reference(source)
    image.PurposeOfReferenceCodeSequence = codes.code_sequence([codes.SOURCE_IMAGE])
    image.SpatialLocationsPreserved = "YES"
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedInstanceSequence = Sequence([_reference(source)])
    ds = Dataset()
    ds.SourceImageSequence = Sequence([image])
    ds.ReferencedSeriesSequence = Sequence([series])
    return ds


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


def refuse_anonymous(source: SourceSeries) -> None:
    """A derived object needs every UID of its source to refer to (PS3.3 C.12.1)."""
    wanted = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    for header in source.headers:
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


def _related(source: SourceSeries) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = source.study_instance_uid
    item.SeriesInstanceUID = source.series_instance_uid
    item.PurposeOfReferenceCodeSequence = codes.code_sequence([codes.SOURCE_SERIES])
    return item


def _visual_features(header: Dataset) -> str:
    """NO where the body part shows no face, "" where it may or is not known."""
    body_part = str(header.get("BodyPartExamined") or "").upper()
    return "NO" if body_part and not any(part in body_part for part in HEADS) else ""
