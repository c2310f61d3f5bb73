"""The synthetic PET: Positron Emission Tomography Image Storage on the grid of its CT.

PS3.3 A.21, C.8.9. Units are GML, SUV by body weight: activity would mean nothing without a dose,
and none was given (no item in Radiopharmaceutical Information). Nothing was corrected, nothing
decayed.
With the parameter `viewer_compatibility` it says DECY and ATTN all the same, for viewers that
show SUV only then: what the values stand for is a corrected SUV image.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import UID, PositronEmissionTomographyImageStorage

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
from dicom_profiles.inherited import PLACE, STUDY_TAGS, empty_elements, not_to_inherit, tags
from dicom_profiles.provenance import Derivation, pixel_digests
from dicom_profiles.sources.lossy import lossy_compression
from dicom_profiles.sources.series import SourceSeries

SYNTHETIC_PET = DerivedKind(
    name="SPET",
    number=4,
    title="PET (SUVbw) from CT",
    code=codes.SYNTHETIC_PET,
    sentence=(
        "FDG uptake guessed from CT by a neural network; no tracer was given and no activity "
        "was measured."
    ),
)
INPUT = "CT"
"""Key of the source among the pipeline's inputs."""
IMAGE_TYPE = ["DERIVED", "PRIMARY", "SYNTHETIC", "SPET_FROM_CT"]
"""PS3.3 C.8.9.4.1.1: value 2 is PRIMARY in this IOD, whatever the image is."""

SLOPE = 0.001
"""SUV of one stored unit; one for the whole series."""
LARGEST_STORED = 0x7FFF
LARGEST_SUV = LARGEST_STORED * SLOPE

WINDOW = ("4", "8", "SUVbw 0-7")
"""Center, width, name. By the default function, LINEAR, that is 0 to 7 exactly:
c - 0.5 -/+ (w - 1)/2, PS3.3 C.11.2.1.2. VOI LUT Function stays out: OHIF 3.13 shows no image
that has it."""

COMPATIBLE = "viewer_compatibility"
"""The parameter that asks for what some viewers want to see before they show SUV."""

SUVBW = Code("126401", "DCM", "SUVbw")
QUANTITY = Code("246205007", "SCT", "Quantity")
RECUMBENT = Code("102538003", "SCT", "recumbent")

# PS3.16 CID 20, CID 21: Patient Position (C.7.3.1.1.2) as codes.
POSTURES = {
    "S": Code("40199007", "SCT", "supine"),
    "P": Code("1240000", "SCT", "prone"),
    "DR": Code("102536004", "SCT", "right lateral decubitus"),
    "DL": Code("102535000", "SCT", "left lateral decubitus"),
}
GANTRY = {
    "HF": Code("102540008", "SCT", "headfirst"),
    "FF": Code("102541007", "SCT", "feet-first"),
}

ACQUIRED = ("AcquisitionDate", "AcquisitionTime", "BodyPartExamined", "AnatomicRegionSequence",
            "InstanceNumber")  # fmt: skip
"""Of the CT: when and where the anatomy was seen."""
NOT_IN_PET = ("PatientPosition", "GantryDetectorTilt", "SpacingBetweenSlices")
"""PS3.3 C.8.9.5: said by codes instead; the others are not in the IOD."""
COPIED_TAGS = tags((*(set(PLACE) - set(NOT_IN_PET)), *ACQUIRED))


def write_synthetic_pet(
    source: SourceSeries,
    slices: Iterable[npt.NDArray[np.float32]],
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Write the PET series, one file a slice, durably.

    Args:
        source: the CT.
        slices: (rows, columns) float32 in SUVbw, in the order of the source.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; files are named SPET-0001.dcm and on.

    Raises:
        DerivedObjectError: other count or shape than the source, or values that do not fit.
    """
    refuse_anonymous({INPUT: source})
    identity = derivation.identity
    series_uid = uids.series_uid(SYNTHETIC_PET.name, source.sop_instance_uids, identity)
    encoder = _SliceEncoder(source, derivation, series_uid)
    paths, instance_uids = [], []
    with FolderWriter(folder) as files:
        for made in stored_outputs({INPUT: source}, slices, stored_values):
            uid, content = encoder.encode(made)
            paths.append(files.write(f"{SYNTHETIC_PET.name}-{made.index + 1:04d}.dcm", content))
            instance_uids.append(uid)
    return DerivedSeries(
        series_uid,
        SYNTHETIC_PET.name,
        tuple(paths),
        tuple(instance_uids),
        ((str(SLOPE), "0"),) * len(paths),
        sop_class_uid=PositronEmissionTomographyImageStorage,
    )


def stored_values(suv: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """SUV as stored values, signed 16 bits.

    Raises:
        DerivedObjectError: values are no numbers, or beyond what 16 bits hold.
    """
    lowest, highest = float(suv.min()), float(suv.max())
    if not (lowest >= -LARGEST_SUV and highest <= LARGEST_SUV):  # false for NaN, too
        raise DerivedObjectError(
            f"SUV should be a number up to {LARGEST_SUV:g}, got {lowest:g} to {highest:g}; the "
            "pipeline's output is wrong."
        )
    stored: npt.NDArray[np.int16] = np.rint(suv / SLOPE).astype("<i2")
    return stored


class _SliceEncoder:
    """Encodes slices; what they share is encoded once."""

    def __init__(self, source: SourceSeries, derivation: Derivation, series_uid: str) -> None:
        header = source.headers[0]
        self._source, self._series_uid = source, series_uid
        self._files = FileEncoder(PositronEmissionTomographyImageStorage, derivation.ae_title)
        self._elements = ElementEncoder(header.get("SpecificCharacterSet"))
        common = image_common({INPUT: source}, SYNTHETIC_PET, derivation)
        common.update(_pet_common(source, derivation, series_uid))
        self._common: Encoded = {
            **self._elements.encode(_empty(header)),
            **self._elements.encode(common),
            **self._elements.copy(header, STUDY_TAGS),
        }

    def encode(self, made: StoredOutput) -> tuple[str, bytes]:
        """SOP Instance UID and Part 10 file of one slice."""
        instance = self._source.instances[made.index]
        uid = uids.instance_uid(self._series_uid, made.index, made.digest)
        own = source_references(instance.header)
        own.update(lossy_compression(instance))
        own.update(pixel_digests(made.source_digest, made.digest))
        own.SOPInstanceUID = UID(uid)
        own.ImageIndex = made.index + 1
        own.add_new("PixelData", "OW", made.pixels)
        elements = {
            **self._common,
            **self._elements.copy(instance.header, COPIED_TAGS - not_to_inherit(instance.header)),
            **self._elements.encode(own),
        }
        return uid, self._files.encode(elements, uid)


def _empty(header: Dataset) -> Dataset:
    """Type 2 attributes with zero length, where the CT lacks them or nothing is true."""
    ds = empty_elements(header)
    for keyword in ("PositionReferenceIndicator", "SliceThickness", "InstanceNumber",
                    "AcquisitionDate", "AcquisitionTime", "ActualFrameDuration",
                    "CollimatorType"):  # fmt: skip
        setattr(ds, keyword, None)
    return ds


def _pet_common(source: SourceSeries, derivation: Derivation, series_uid: str) -> Dataset:
    """PET Series, PET Isotope, PET Image, Image Pixel, window (PS3.3 C.8.9.1, C.8.9.2, C.8.9.4)."""
    ds = Dataset()
    ds.SOPClassUID = PositronEmissionTomographyImageStorage
    ds.SeriesInstanceUID = UID(series_uid)
    ds.Modality = "PT"
    ds.ImageType = IMAGE_TYPE
    ds.NumberOfSlices, ds.Rows, ds.Columns = source.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = str(SLOPE), "0"
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.Units, ds.SUVType, ds.CountsSource = "GML", "BW", "EMISSION"
    ds.RadiopharmaceuticalInformationSequence = Sequence([])
    ds.FrameReferenceTime = "0"
    ds.WindowCenter, ds.WindowWidth, ds.WindowCenterWidthExplanation = WINDOW
    ds.RealWorldValueMappingSequence = Sequence([_real_world_values()])
    ds.update(_corrections(bool(derivation.parameters.get(COMPATIBLE))))
    ds.update(_orientation(source.headers[0]))
    return ds


def _corrections(compatible: bool) -> Dataset:
    """What was corrected: nothing, unless viewers are to be given what they look for."""
    ds = Dataset()
    ds.CorrectedImage = ["DECY", "ATTN"] if compatible else None
    ds.DecayCorrection = "START" if compatible else "NONE"
    if compatible:
        ds.DecayFactor = "1"
    return ds


def _orientation(header: Dataset) -> Dataset:
    """NM/PET Patient Orientation from Patient Position (PS3.3 C.8.4.6)."""
    position = str(header.get("PatientPosition") or "")
    posture, gantry = POSTURES.get(position[2:]), GANTRY.get(position[:2])
    recumbent = codes.code_item(RECUMBENT)
    if posture is not None:
        recumbent.PatientOrientationModifierCodeSequence = codes.code_sequence([posture])
    ds = Dataset()
    ds.PatientOrientationCodeSequence = Sequence([recumbent] if posture is not None else [])
    ds.PatientGantryRelationshipCodeSequence = codes.code_sequence([gantry] if gantry else [])
    return ds


def _real_world_values() -> Dataset:
    """Stored values to g/ml{SUVbw} (PS3.3 C.7.6.16.2.11)."""
    quantity = Dataset()
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence = codes.code_sequence([QUANTITY])
    quantity.ConceptCodeSequence = codes.code_sequence([SUVBW])
    item = Dataset()
    item.LUTExplanation, item.LUTLabel = "Stored value to SUVbw", "SUVbw"
    item.MeasurementUnitsCodeSequence = codes.code_sequence([codes.GRAMS_PER_ML])
    item.QuantityDefinitionSequence = Sequence([quantity])
    item.add_new("RealWorldValueFirstValueMapped", "SS", -LARGEST_STORED)
    item.add_new("RealWorldValueLastValueMapped", "SS", LARGEST_STORED)
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 0.0, SLOPE
    return item
