"""The synthetic CT: CT Image Storage on the grid of the MR that it was made of.

PS3.3 A.3 and C.8.2.1. Nobody was exposed: KVP (type 2) has zero length, and exposure, dose, kernel
and irradiation event are absent, so that no dose registry counts it. Geometry and Frame of
Reference are those of the first input; Source Image Sequence names the slice of every input.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage

from dicom_profiles import codes, uids
from dicom_profiles.derived import (
    DerivedKind,
    DerivedSeries,
    image_common,
    refuse_anonymous,
    source_references,
)
from dicom_profiles.encoding.outputs import StoredOutput, stored_outputs
from dicom_profiles.encoding.part10 import ElementEncoder, Encoded, FileEncoder, FolderWriter
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.inherited import PLACE, STUDY_TAGS, empty_ct_elements, not_to_inherit, tags
from dicom_profiles.provenance import Derivation, pixel_digests
from dicom_profiles.sources.lossy import lossy_compression
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.sources.source import Sources, all_instance_uids, reference_of

SYNTHETIC_CT = DerivedKind(
    name="SCT",
    number=2,
    title="CT from MR",
    code=codes.SYNTHETIC_CT,
    sentence="CT numbers estimated from MR by a neural network; no X-rays were used.",
)
IMAGE_TYPE = ["DERIVED", "SECONDARY", "AXIAL", "", "SYNTHETIC", "SCT_FROM_MR"]

INTERCEPT = -1024
"""HU of the stored value 0; one step is 1 HU."""
LARGEST_STORED = 0xFFFF

# Center, width and name of the windows: the MR's own would mean nothing.
WINDOWS = (("40", "400", "SOFT TISSUE"), ("-600", "1600", "LUNG"), ("400", "1800", "BONE"))

ACQUIRED = (
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "BodyPartExamined",
    "Laterality",
    "AnatomicRegionSequence",
    "InstanceNumber",
)
"""Of the MR: when and where the anatomy was seen."""
COPIED_TAGS = tags((*PLACE, *ACQUIRED))


def write_synthetic_ct(
    sources: Sources,
    slices: Iterable[npt.NDArray[np.float32]],
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Write the synthetic CT, one file a slice, durably.

    Args:
        sources: the MR by input key, all on one grid; the first gives geometry and study.
        slices: (rows, columns) float32 in HU, in the order of the first source.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; files are named SCT-0001.dcm and on.

    Raises:
        DerivedObjectError: other count or shape than the source, or values that do not fit.
    """
    refuse_anonymous(sources)
    reference = reference_of(sources)
    if not all(isinstance(source, SourceSeries) for source in sources.values()):
        raise DerivedObjectError("A synthetic CT needs MR series, got a projection; send slices.")
    if any(len(source) != len(reference) for source in sources.values()):
        raise DerivedObjectError("All inputs should have one slice at each place; pair them again.")
    instance_uids_of_sources = all_instance_uids(sources)
    series_uid = uids.series_uid(SYNTHETIC_CT.name, instance_uids_of_sources, derivation.identity)
    encoder = _SliceEncoder(sources, derivation, series_uid)
    paths, instance_uids = [], []
    with FolderWriter(folder) as files:
        for made in stored_outputs(sources, slices, stored_values):
            uid, content = encoder.encode(made)
            paths.append(files.write(f"{SYNTHETIC_CT.name}-{made.index + 1:04d}.dcm", content))
            instance_uids.append(uid)
    rescales = (("1", str(INTERCEPT)),) * len(paths)
    return DerivedSeries(
        series_uid, SYNTHETIC_CT.name, tuple(paths), tuple(instance_uids), rescales
    )


def stored_values(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """HU as stored values, unsigned 16 bits; below `INTERCEPT` there is nothing.

    Raises:
        DerivedObjectError: values are no numbers, or beyond what 16 bits hold.
    """
    lowest, highest = float(hu.min()), float(hu.max())
    if not (np.isfinite(lowest + highest) and highest - INTERCEPT <= LARGEST_STORED):
        raise DerivedObjectError(
            f"CT numbers should be up to {LARGEST_STORED + INTERCEPT} HU, got {lowest:g} to "
            f"{highest:g}; the pipeline's output is wrong."
        )
    return np.rint(np.maximum(hu - INTERCEPT, 0)).astype("<u2")


class _SliceEncoder:
    """Encodes slices; what they share is encoded once."""

    def __init__(self, sources: Sources, derivation: Derivation, series_uid: str) -> None:
        header = reference_of(sources).headers[0]
        self._sources = tuple(sources.values())
        self._series_uid = series_uid
        self._files = FileEncoder(CTImageStorage, derivation.ae_title)
        self._elements = ElementEncoder(header.get("SpecificCharacterSet"))
        common = image_common(sources, SYNTHETIC_CT, derivation)
        common.update(_ct_common(reference_of(sources).shape, series_uid))
        self._common: Encoded = {
            **self._elements.encode(empty_ct_elements(header)),
            **self._elements.encode(common),
            **self._elements.copy(header, STUDY_TAGS),
        }

    def encode(self, made: StoredOutput) -> tuple[str, bytes]:
        """SOP Instance UID and Part 10 file of one slice."""
        instances = [source.instances[made.index] for source in self._sources]
        header = instances[0].header
        uid = uids.instance_uid(self._series_uid, made.index, made.digest)
        own = source_references(*(instance.header for instance in instances))
        own.update(lossy_compression(*instances))
        own.update(pixel_digests(made.source_digest, made.digest))
        own.SOPInstanceUID = UID(uid)
        elements = {
            **self._common,
            **self._elements.copy(header, COPIED_TAGS - not_to_inherit(header)),
            **self._elements.encode(own),
        }
        return uid, self._files.encode(elements, uid, made.pixels)


def _ct_common(shape: tuple[int, int, int], series_uid: str) -> Dataset:
    """CT Image, Image Pixel and VOI LUT of all slices (PS3.3 C.8.2.1, C.7.6.3, C.11.2)."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SeriesInstanceUID = UID(series_uid)
    ds.Modality = "CT"
    ds.ImageType = IMAGE_TYPE
    ds.KVP = None  # PS3.3 C.8.2.1, type 2: there were no X-rays
    _, ds.Rows, ds.Columns = shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", str(INTERCEPT), "HU"
    centers, widths, names = zip(*WINDOWS, strict=True)
    ds.WindowCenter, ds.WindowWidth = list(centers), list(widths)
    ds.WindowCenterWidthExplanation = list(names)
    return ds
