"""One image without its patient: the Basic Application Level Confidentiality Profile (PS3.15 E).

UIDs are replaced by salted ones, the patient by a pseudonym, private elements and graphics go, and
so does text outside the profile's table. What could show a person in its pixels is refused. Of PET
weight and time since injection are kept, else its values could never become SUV; dates are moved to
one day that nobody was examined on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from pydicom import dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    CTImageStorage,
    MRImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from dicom_profiles.checks.iod import missing_attributes, required_attributes
from dicom_profiles.deidentification.confidentiality import EDITION, PIXELS, action_of
from dicom_profiles.deidentification.moved_times import Clock, clock_of
from dicom_profiles.deidentification.pseudonyms import Pseudonyms
from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_profiles.errors import ProfileError

METHOD = f"PS3.15 {EDITION} basic profile, salted UIDs"
MAY_BE_SILENT = (CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage)
"""Classes whose scanners write no text into the pixels; others must say NO themselves."""
CAPTURES = (SecondaryCaptureImageStorage, MultiFrameSingleBitSecondaryCaptureImageStorage)
SHORTEST_IDENTITY = 4
"""Shorter values (a sex, an initial) are found everywhere and prove nothing."""
IDENTITY = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "PatientBirthDate",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "InstitutionAddress",
    "DeviceSerialNumber",
    "StationName",
    "StudyDate",
)
"""After the work none of these values may be anywhere in the text of the object."""

DUMMIES: dict[str, object] = {
    "AS": "000Y",
    "DA": "19000101",
    "TM": "120000",
    "DT": "19000101120000",
    "DS": "0",
    "IS": "0",
    "UR": "http://removed.invalid",
    "OB": b"\0\0",
    "UN": b"\0\0",
} | dict.fromkeys(("FD", "FL", "SL", "SS", "UL", "US"), 0)
DUMMY_TEXT = "REMOVED"


class IdentityError(ProfileError):
    """An image cannot be kept without telling who it shows."""


def why_not_kept(header: Dataset) -> str:
    """Why an image's pixels may show who it is of, "" when they do not."""
    sop_class = header.get("SOPClassUID")
    burned_in = str(header.get("BurnedInAnnotation", "")).strip().upper()
    if burned_in == "YES":
        return "Burned In Annotation (0028,0301) is YES."
    if sop_class in CAPTURES:
        return "It is a secondary capture, which may show a screen with a name."
    if burned_in != "NO" and sop_class not in MAY_BE_SILENT:
        return "Burned In Annotation (0028,0301) does not say NO."
    if str(header.get("RecognizableVisualFeatures", "")).strip().upper() == "YES":
        return "Recognizable Visual Features (0028,0302) is YES."
    for group in range(0x6000, 0x6020, 2):
        if header.get((group, 0x0102)) is not None and header[group, 0x0102].value not in (0, None):
            return "An overlay hides in the unused bits of the pixels."
    if not str(header.get("PatientID", "")).strip():
        return "Patient ID is empty, so the split by patient cannot be kept."
    return ""


def deidentified(ds: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    """A new data set that shows the image and not the person.

    Args:
        ds: one instance, with its file meta information and pixel data; stays as it is.
        pseudonyms: by the site's salt.

    Raises:
        IdentityError: it may not be kept, or something would tell who it shows.
    """
    if reason := why_not_kept(ds):
        raise IdentityError(reason)
    clock = clock_of(ds) if ds.SOPClassUID == PositronEmissionTomographyImageStorage else None
    needed = _types(str(ds.SOPClassUID))
    done = _cleaned(ds, pseudonyms, needed, clock)
    done.PatientID = pseudonyms.patient(str(ds.PatientID))
    done.PatientName = done.PatientID
    if clock is not None and ds.get("PatientWeight") is not None:
        done.PatientWeight = ds.PatientWeight
    _say_so(done, moved=clock is not None)
    done.file_meta = _file_meta(ds, done)
    lost = set(missing_attributes(done)) - set(missing_attributes(ds))
    if lost:
        raise IdentityError(
            f"Without its identity the object would lack {', '.join(sorted(lost))}."
        )
    if leaks := identity_left(ds, done):
        raise IdentityError(f"Values of {', '.join(leaks)} stand elsewhere in the object, too.")
    return done


def encoded(ds: Dataset) -> bytes:
    """A de-identified data set as a Part 10 file, its pixel data as they were."""
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def identity_left(before: Dataset, after: Dataset) -> list[str]:
    """Keywords whose old values, or UIDs, are still somewhere in an object's text."""
    text = "\0".join(str(element.value) for element in _texts(after)).casefold()
    words = frozenset(re.findall(r"\w+", text))
    left = [
        keyword
        for keyword in IDENTITY
        if any(
            value in (text if " " in value or "-" in value else words)
            for value in _identities(before, keyword)
        )
    ]
    uids = {str(element.value) for element in _uids(before)}
    kept = {str(element.value) for element in _uids(after)}
    ours = {uid for uid in uids & kept if not uid.startswith("1.2.840.10008.")}
    return sorted(set(left)) + (["a UID"] if ours else [])


def _identities(ds: Dataset, keyword: str) -> list[str]:
    """The values of an attribute, of a name its parts, that are long enough to mean somebody."""
    value = ds.get(keyword) or ""
    several = value if isinstance(value, MultiValue) else [value]
    parts = [part.strip().casefold() for one in several for part in re.split("[=^]", str(one))]
    return [part for part in parts if len(part) >= SHORTEST_IDENTITY]


def _types(sop_class: str) -> dict[int, str]:
    return {tag: "1" if value else "2" for tag, _, value in required_attributes(sop_class)}


def _cleaned(
    ds: Dataset, pseudonyms: Pseudonyms, types: dict[int, str] | None, clock: Clock | None
) -> Dataset:
    """A data set, or an item, with the profile's actions done.

    Args:
        ds: stays as it is.
        pseudonyms: by the site's salt.
        types: of the IOD's attributes by tag; None for an item, whose attributes may all be needed.
        clock: moves times; None where none are kept.
    """
    done = Dataset()
    for element in ds:
        tag, vr = int(element.tag), str(element.VR)
        made = clock.moved(ds, element) if clock is not None else None
        if made is None:
            action = action_of(tag, vr, types.get(tag, "3") if types is not None else "1")
            made = _acted(element, action, pseudonyms, clock)
        if made is not None:
            done.add(made)
    return done


def _acted(
    element: DataElement, action: str, pseudonyms: Pseudonyms, clock: Clock | None
) -> DataElement | None:
    """One element with its action done; None when it goes."""
    tag, vr = element.tag, element.VR
    if action == "remove" or element.tag.element == 0:
        return None
    if vr == "SQ":
        if action in ("empty", "dummy"):
            return DataElement(tag, vr, Sequence()) if action == "empty" else None
        items = (_cleaned(item, pseudonyms, None, clock) for item in element.value)
        return DataElement(tag, vr, Sequence(items))
    if action == "empty":
        return DataElement(tag, vr, None if vr != "UI" else "")
    if action == "uid" or (action == "dummy" and vr == "UI"):
        values = element.value if element.VM > 1 else [element.value or ""]
        mapped = [pseudonyms.uid(str(value)) for value in values]
        return DataElement(tag, vr, mapped if len(mapped) > 1 else mapped[0])
    if action == "dummy":
        return DataElement(tag, vr, DUMMIES.get(vr, DUMMY_TEXT))
    return element


def _say_so(done: Dataset, *, moved: bool) -> None:
    """What was done, in the object itself (PS3.3 C.7.1.1, C.12.1; CID 7050)."""
    done.PatientIdentityRemoved = "YES"
    done.DeidentificationMethod = METHOD
    done.LongitudinalTemporalInformationModified = "MODIFIED" if moved else "REMOVED"
    profile = codes.cid7050
    used = [profile.BasicApplicationConfidentialityProfile]
    if moved:
        used.append(profile.RetainLongitudinalTemporalInformationModifiedDatesOption)
        used.append(profile.RetainPatientCharacteristicsOption)
    items = []
    for code in used:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
        item.CodeMeaning = code.meaning[:64]
        items.append(item)
    done.DeidentificationMethodCodeSequence = Sequence(items)


def _file_meta(before: Dataset, done: Dataset) -> FileMetaDataset:
    """New File Meta Information: nothing of the old one but the transfer syntax."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = done.SOPClassUID
    meta.MediaStorageSOPInstanceUID = done.SOPInstanceUID
    meta.TransferSyntaxUID = before.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _elements(ds: Dataset) -> Iterator[DataElement]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)
        elif int(element.tag) not in PIXELS:
            yield element


def _texts(ds: Dataset) -> Iterator[DataElement]:
    return (one for one in _elements(ds) if one.VR not in ("UI", "DS", "IS") and one.value)


def _uids(ds: Dataset) -> Iterator[DataElement]:
    return (one for one in _elements(ds) if one.VR == "UI" and one.value)
