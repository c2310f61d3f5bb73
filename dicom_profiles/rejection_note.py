"""A rejection note: a Key Object Selection that tells an archive to hide instances.

PS3.3 A.35.4, TID 2010 with a title of CID 7011; IHE IOCM. Written when a model version is
recalled, so that what it made no longer shows. The archive decides what it does with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import UID, KeyObjectSelectionDocumentStorage

from dicom_profiles import uids
from dicom_profiles.codes import code_sequence
from dicom_profiles.encoding.part10 import FolderWriter, encode_dataset
from dicom_profiles.equipment import (
    DEVICE_SERIAL_NUMBER,
    INSTANCE_CREATOR_UID,
    MANUFACTURER,
    MODEL_NAME,
    NODE_DEVICE_UID,
    SOFTWARE_VERSION,
)
from dicom_profiles.errors import DerivedObjectError

REASONS: Mapping[str, Code] = {
    "quality": Code("113001", "DCM", "Rejected for Quality Reasons"),
    "safety": Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
}
"""Word for the command to the document title that says why (PS3.16 CID 7011)."""

STUDY_KEYWORDS = (
    "SpecificCharacterSet",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)
"""What the note takes over from the study as the archive knows it; type 2 but for the UID."""

SERIES_NUMBER = 99_999
NOT_IMAGES = ("1.2.840.10008.5.1.4.1.1.11.", "1.2.840.10008.5.1.4.1.1.88.")
"""Presentation states and structured reports: composite objects without pixels."""


@dataclass(frozen=True)
class RejectedSeries:
    """A series, all of whose instances are rejected.

    Attributes:
        series_instance_uid: of the series.
        instances: (SOP Class UID, SOP Instance UID) of each.
    """

    series_instance_uid: str
    instances: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rejection:
    """Why, by whom and when.

    Attributes:
        reason: a key of `REASONS`.
        description: for people, in ASCII, for example which model version was recalled.
        created: with its zone.
        ae_title: of the node.
    """

    reason: str
    description: str
    created: datetime
    ae_title: str


def write_rejection_note(
    study: Dataset, rejected: Sequence[RejectedSeries], rejection: Rejection, folder: Path
) -> Path:
    """Write the note that rejects series of one study.

    Args:
        study: attributes of the study and its patient, see `STUDY_KEYWORDS`.
        rejected: the series.
        rejection: why, by whom and when.
        folder: made when absent; the file is named after the note's UID.

    Raises:
        DerivedObjectError: there is nothing to reject, or the reason is unknown.
    """
    if rejection.reason not in REASONS:
        wanted = ", ".join(REASONS)
        raise DerivedObjectError(f"A rejection has a reason of {wanted}, got {rejection.reason!r}.")
    rejected = [series for series in rejected if series.instances]
    if not rejected:
        raise DerivedObjectError("A rejection note needs instances to reject, got none.")
    uid = note_uid(rejected, rejection)
    ds = Dataset()
    for keyword in STUDY_KEYWORDS:
        setattr(ds, keyword, study.get(keyword))
    ds.update(_equipment(rejection))
    ds.update(_series_and_document(uid, rejection))
    ds.CurrentRequestedProcedureEvidenceSequence = Items([_evidence(study, rejected)])
    ds.update(_content(rejected, rejection))
    with FolderWriter(folder) as files:
        return files.write(f"{uid}.dcm", encode_dataset(ds, rejection.ae_title))


def note_uid(rejected: Sequence[RejectedSeries], rejection: Rejection) -> str:
    """SOP Instance UID: the same instances, rejected for the same reason, give the same note."""
    instances = sorted(uid for series in rejected for _, uid in series.instances)
    facts = (rejection.reason, rejection.description, rejection.created.isoformat())
    return uids.derive_uid("rejection note", uids.PROFILE_VERSION, *facts, instances)


def _equipment(rejection: Rejection) -> Dataset:
    """General Equipment (PS3.3 C.7.5.1) and SOP Common (C.12.1)."""
    ds = Dataset()
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    ds.StationName = rejection.ae_title[:16]
    ds.DeviceSerialNumber, ds.DeviceUID = DEVICE_SERIAL_NUMBER, NODE_DEVICE_UID
    ds.SoftwareVersions = SOFTWARE_VERSION
    ds.InstanceCreatorUID = INSTANCE_CREATOR_UID
    return ds


def _series_and_document(uid: str, rejection: Rejection) -> Dataset:
    """Key Object Document Series and Key Object Document (PS3.3 C.17.6.1, C.17.6.2)."""
    date, time = rejection.created.strftime("%Y%m%d"), rejection.created.strftime("%H%M%S")
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = KeyObjectSelectionDocumentStorage, UID(uid)
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.TimezoneOffsetFromUTC = rejection.created.strftime("%z")
    ds.Modality = "KO"
    ds.SeriesInstanceUID = UID(uids.derive_uid("rejection note series", uid))
    ds.SeriesNumber, ds.InstanceNumber = SERIES_NUMBER, 1
    ds.SeriesDate, ds.SeriesTime = date, time
    ds.SeriesDescription = REASONS[rejection.reason].meaning
    ds.ReferencedPerformedProcedureStepSequence = Items()
    ds.ContentDate, ds.ContentTime = date, time
    return ds


def _evidence(study: Dataset, rejected: Sequence[RejectedSeries]) -> Dataset:
    """Every rejected instance, by series (PS3.3 C.17.2.1)."""
    evidence = Dataset()
    evidence.StudyInstanceUID = study.StudyInstanceUID
    evidence.ReferencedSeriesSequence = Items()
    for series in rejected:
        item = Dataset()
        item.SeriesInstanceUID = UID(series.series_instance_uid)
        item.ReferencedSOPSequence = Items(_reference(*one) for one in series.instances)
        evidence.ReferencedSeriesSequence.append(item)
    return evidence


def _content(rejected: Sequence[RejectedSeries], rejection: Rejection) -> Dataset:
    """The document: its title, who wrote it, a sentence, the instances (TID 2010, TID 1002)."""
    root = Dataset()
    root.ValueType = "CONTAINER"
    root.ConceptNameCodeSequence = code_sequence([REASONS[rejection.reason]])
    root.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    root.ContentTemplateSequence = Items([template])
    observer = _item("HAS OBS CONTEXT", "CODE", Code("121005", "DCM", "Observer Type"))
    observer.ConceptCodeSequence = code_sequence([Code("121007", "DCM", "Device")])
    device = _item("HAS OBS CONTEXT", "UIDREF", Code("121012", "DCM", "Device Observer UID"))
    device.UID = UID(NODE_DEVICE_UID)
    text = _item("CONTAINS", "TEXT", Code("113012", "DCM", "Key Object Description"))
    text.TextValue = rejection.description
    instances = [_pointer(*one) for series in rejected for one in series.instances]
    root.ContentSequence = Items([observer, device, text, *instances])
    return root


def _item(relationship: str, value_type: str, name: Code) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, value_type
    item.ConceptNameCodeSequence = code_sequence([name])
    return item


def _pointer(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """A content item without a name that points at an instance (TID 2010 forbids names)."""
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "COMPOSITE" if sop_class_uid.startswith(NOT_IMAGES) else "IMAGE"
    item.ReferencedSOPSequence = Items([_reference(sop_class_uid, sop_instance_uid)])
    return item


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(sop_class_uid)
    item.ReferencedSOPInstanceUID = UID(sop_instance_uid)
    return item
