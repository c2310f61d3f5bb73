"""Which further checks an object gets by what it is: one line a kind.

A kind's own checks stand in `check_<kind>.py`: `findings(dataset, sources) -> list[str]`, a
sentence for everything that is wrong, without patient attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_profiles.checks import ct_denoised as check_ct_denoised
from dicom_profiles.checks import ct_from_mr as check_ct_from_mr
from dicom_profiles.checks import mg_virtual_contrast as check_mg_virtual_contrast
from dicom_profiles.checks import pet_from_ct as check_pet_from_ct
from dicom_profiles.provenance import read_private
from dicom_profiles.sources.source import Sources

KindCheck: TypeAlias = Callable[[Dataset, Sources], list[str]]
"""(object, the sources by input key) to what is wrong with it."""

IMAGE_KINDS: Mapping[str, tuple[UID, KindCheck]] = {
    "DEN": (uid.CTImageStorage, check_ct_denoised.findings),
    "SCT": (uid.CTImageStorage, check_ct_from_mr.findings),
    "SPET": (uid.PositronEmissionTomographyImageStorage, check_pet_from_ct.findings),
    "VCE": (
        uid.DigitalMammographyXRayImageStorageForPresentation,
        check_mg_virtual_contrast.findings,
    ),
}
"""Kind of a derived image, see `kind_of`, to its class and its own checks."""

IMAGE_CLASSES = frozenset(sop_class for sop_class, _ in IMAGE_KINDS.values())
"""Classes of derived images: one object for each slice of the first source."""

KIND_OF_CLASS: Mapping[UID, str] = {uid.SegmentationStorage: "SEG", uid.ParametricMapStorage: "PM"}
"""Kind of objects that carry no provenance block."""

PLACE_NOT_KEPT: Mapping[UID, frozenset[str]] = {
    # PS3.3 C.8.9.5: PET says its orientation by codes, and Patient Position shall be absent.
    uid.PositronEmissionTomographyImageStorage: frozenset(
        {"PatientPosition", "GantryDetectorTilt", "SpacingBetweenSlices"}
    ),
}
"""Attributes of the source's place that a class does not have."""


def kind_of(ds: Dataset) -> str:
    """Short name of what an object is ("DEN"), "" for reports and labels."""
    own = read_private(ds, "kind")
    return str(own) if own else KIND_OF_CLASS.get(UID(str(ds.get("SOPClassUID", ""))), "")


def own_findings(ds: Dataset, sources: Sources) -> list[str]:
    """What the checks of its kind find; every kind of image has some."""
    kind = kind_of(ds)
    if kind in IMAGE_KINDS:
        return IMAGE_KINDS[kind][1](ds, sources)
    if ds.get("SOPClassUID") in IMAGE_CLASSES:
        return [f"Images of the kind {kind!r} should have checks of their own in checks/kinds.py."]
    return []
