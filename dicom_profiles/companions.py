"""What the objects beside the images share: a report, a label; one file a series.

highdicom builds them; dates, UIDs and equipment are then set anew, because highdicom
stamps its own time and the same inputs shall give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicom_profiles import uids
from dicom_profiles.derived import PREFIX, DerivedSeries, identification, series_number
from dicom_profiles.encoding.part10 import ElementEncoder, FileEncoder, FolderWriter
from dicom_profiles.equipment import (
    DEVICE_SERIAL_NUMBER,
    MANUFACTURER,
    MODEL_NAME,
    SOFTWARE_VERSION,
)
from dicom_profiles.inherited import EMPTY_WHEN_ABSENT, STUDY_TAGS, empty_elements
from dicom_profiles.provenance import Derivation
from dicom_profiles.sources.series import SourceSeries

UNSET_UID = "2.25.0"
"""Stands in until the content is known, from which the UID is then derived."""
CREATOR = f"{MODEL_NAME}^Node"
"""Content Creator's Name."""
OURS: Mapping[str, Any] = {
    "series_number": 1,
    "sop_instance_uid": UNSET_UID,
    "instance_number": 1,
    "manufacturer": MANUFACTURER,
    "manufacturer_model_name": MODEL_NAME,
    "software_versions": SOFTWARE_VERSION,
    "device_serial_number": DEVICE_SERIAL_NUMBER,
}
"""What highdicom asks of every object; `write_companions` sets all of it anew."""


@dataclass(frozen=True)
class CompanionKind:
    """What is made beside the images.

    Attributes:
        name: short name, for example "QC"; also the name of its file.
        number: place in the Series Number.
        title: words after the prefix in the Series Description.
        prefix: what the Series Description begins with.
        about_synthetic_pixels: a mask of acquired pixels is not, and does not say Synthetic Data.
    """

    name: str
    number: int
    title: str
    prefix: str = PREFIX
    about_synthetic_pixels: bool = True

    def series_uid(self, image_series_uid: str) -> str:
        """Series Instance UID of the companion of a derived series."""
        return uids.derive_uid("companion", uids.PROFILE_VERSION, self.name, image_series_uid)


def write_companions(
    objects: Iterable[Dataset],
    kind: CompanionKind,
    source: Dataset,
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Finish the objects of one companion series and write them durably.

    Args:
        objects: data sets as highdicom built them, all of one series.
        kind: what they are.
        source: header of a source slice; patient and study are copied from it.
        derivation: as for the images.
        folder: made when absent.
    """
    paths, instance_uids, series = [], [], ""
    with FolderWriter(folder) as files:
        for index, ds in enumerate(objects):
            series = str(ds.SeriesInstanceUID)
            uid, content = _finished(ds, index, kind, source, derivation)
            paths.append(files.write(f"{kind.name}-{index + 1:04d}.dcm", content))
            instance_uids.append(uid)
    return DerivedSeries(series, kind.name, tuple(paths), tuple(instance_uids))


def _finished(
    ds: Dataset, index: int, kind: CompanionKind, source: Dataset, derivation: Derivation
) -> tuple[str, bytes]:
    """SOP Instance UID and Part 10 file."""
    ds.update(identification(source, derivation))
    if not kind.about_synthetic_pixels:
        del ds.SyntheticData
    ds.SeriesDescription = f"{kind.prefix} {kind.title}"
    ds.SeriesNumber = series_number(source, kind.number)
    ds.InstanceNumber = index + 1
    encoder = ElementEncoder(source.get("SpecificCharacterSet"))
    elements = {
        **encoder.encode(empty_elements(source)),
        **encoder.encode(ds),
        **encoder.copy(source, STUDY_TAGS),
    }
    digest = hashlib.sha256(b"".join(elements[tag] for tag in sorted(elements))).hexdigest()
    uid = uids.instance_uid(str(ds.SeriesInstanceUID), index, digest)
    own = Dataset()
    own.SOPInstanceUID = UID(uid)
    elements.update(encoder.encode(own))
    return uid, FileEncoder(ds.SOPClassUID, derivation.ae_title).encode(elements, uid)


def lent(header: Dataset) -> Dataset:
    """A header for highdicom without what it has opinions on: names, dates, character sets.

    What is of patient and study is copied to the letter later, odd as it may be.
    """
    copy = Dataset()
    copy.update({tag: header.get_item(tag) for tag in header.keys() - STUDY_TAGS})
    for keyword in EMPTY_WHEN_ABSENT:
        setattr(copy, keyword, None)
    copy.StudyInstanceUID = header.StudyInstanceUID
    copy.file_meta = header.file_meta
    return copy


def lent_slices(source: SourceSeries) -> list[Dataset]:
    """Headers of slices for highdicom, which fails without a thickness.

    The distance of the slices stands in for one that is missing or empty, and for a spacing below
    0, as some scanners write it (PS3.3 C.7.6.2.1.1: it is a distance).
    """
    distance = round(float(np.linalg.norm(source.affine[:3, 0])), 6)
    copies = [lent(header) for header in source.headers]
    for copy in copies:
        _replace(copy, "SliceThickness", copy.get("SliceThickness") or distance)
        if (copy.get("SpacingBetweenSlices") or 0) < 0:
            _replace(copy, "SpacingBetweenSlices", distance)
        if not copy.get("LossyImageCompression"):  # empty, it would be copied so
            copy.pop("LossyImageCompression", None)
    return copies


def _replace(copy: Dataset, keyword: str, value: float) -> None:
    """Give a copy an element of its own: to set the value of one changes the source's header."""
    copy.pop(keyword, None)
    setattr(copy, keyword, value)


def references(sop_class_uid: str, sop_instance_uids: Iterable[str]) -> Sequence:
    """Items that refer to instances of one class (PS3.3 table 10-11)."""
    items = []
    for uid in sop_instance_uids:
        item = Dataset()
        item.ReferencedSOPClassUID = UID(sop_class_uid)
        item.ReferencedSOPInstanceUID = UID(uid)
        items.append(item)
    return Sequence(items)
