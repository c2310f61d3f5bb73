"""The virtual recombined mammogram: Digital Mammography X-Ray Image Storage - For Presentation.

PS3.3 A.27, C.8.11. Values 3 to 5 of Image Type stay empty: each of their terms would state
something false (contrast was given; two exposures were subtracted). There is no Contrast/Bolus
module, no exposure technique and no dose: dose registries would count them twice. View, laterality,
orientation, compression and spacing are the source's: hanging protocols need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation

from dicom_profiles import codes, uids
from dicom_profiles.derived import (
    DerivedKind,
    DerivedSeries,
    image_common,
    refuse_anonymous,
    source_references,
)
from dicom_profiles.encoding.part10 import ElementEncoder, FileEncoder, FolderWriter
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.inherited import PLACE, STUDY_TAGS, empty_elements, tags
from dicom_profiles.provenance import Derivation, pixel_digests
from dicom_profiles.sources.lossy import lossy_compression
from dicom_profiles.sources.pixels import pixel_digest
from dicom_profiles.sources.projection import SourceProjection

VIRTUAL_CONTRAST = DerivedKind(
    name="VCE",
    number=1,
    title="VCE recombined",
    code=codes.VIRTUAL_CONTRAST,
    sentence=(
        "Contrast enhancement predicted from the low-energy mammogram by a neural network; no "
        "iodine was measured."
    ),
)
INPUT = "LE"
"""Key of the source among the pipeline's inputs."""
IMAGE_TYPE = ["DERIVED", "SECONDARY", "", "", "", "SYNTHETIC", "VIRTUAL_CONTRAST"]
PROCESSING, PROCESSING_CODE = "AI VIRTUAL CONTRAST", "VSCAN_VCE_1"

BITS = 12
HIGHEST = (1 << BITS) - 1
"""Stored value of display value 1."""

# PS3.16 CID 4014: views that View Position names.
VIEWS = {
    "CC": Code("399162004", "SCT", "cranio-caudal"),
    "MLO": Code("399368009", "SCT", "medio-lateral oblique"),
    "ML": Code("399260004", "SCT", "medio-lateral"),
    "LM": Code("399352003", "SCT", "latero-medial"),
}
BREAST = Code("76752008", "SCT", "Breast")

# PS3.3 C.8.11.2 to C.8.11.7 and C.7.3.1: how the breast lay before the detector.
MAMMOGRAPHY = (
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "BodyPartExamined",
    "ImageLaterality",
    "PatientOrientation",
    "ViewPosition",
    "BodyPartThickness",
    "CompressionForce",
    "CompressionPressure",
    "PaddleDescription",
    "PositionerType",
    "PositionerPrimaryAngle",
    "PositionerPrimaryAngleDirection",
    "PositionerSecondaryAngle",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "DistanceSourceToEntrance",
    "EstimatedRadiographicMagnificationFactor",
    "ImagerPixelSpacing",
    "PixelSpacingCalibrationType",
    "PixelSpacingCalibrationDescription",
    "FieldOfViewShape",
    "FieldOfViewDimensions",
    "FieldOfViewOrigin",
    "FieldOfViewRotation",
    "FieldOfViewHorizontalFlip",
    "BreastImplantPresent",
    "PartialView",
    "PartialViewDescription",
    "PartialViewCodeSequence",
    "InstanceNumber",
)
COPIED_TAGS = tags((*PLACE, *MAMMOGRAPHY))


def write_virtual_contrast(
    source: SourceProjection,
    images: Iterable[npt.NDArray[np.float32]],
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Write the one image, durably.

    Args:
        source: the low-energy mammogram.
        images: one (rows, columns) float32, display values 0 to 1.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; the file is VCE-0001.dcm.

    Raises:
        DerivedObjectError: other count or shape than the source, or values beyond 0 to 1.
    """
    refuse_anonymous({INPUT: source})
    series_uid = uids.series_uid(VIRTUAL_CONTRAST.name, source.sop_instance_uids,
                                 derivation.identity)  # fmt: skip
    stored = _stored(_only_image(images), source)
    digest = pixel_digest(stored)
    uid = uids.instance_uid(series_uid, 0, digest)
    header = source.headers[0]
    encoder = ElementEncoder(header.get("SpecificCharacterSet"))
    elements = {
        **encoder.encode(_empty(header)),
        **encoder.copy(header, (STUDY_TAGS | COPIED_TAGS) - _without_value(header)),
        **encoder.encode(_own(source, derivation, series_uid)),
        **encoder.encode(_pixels(source, stored, digest, uid)),
    }
    files = FileEncoder(DigitalMammographyXRayImageStorageForPresentation, derivation.ae_title)
    with FolderWriter(folder) as written:
        path = written.write(f"{VIRTUAL_CONTRAST.name}-0001.dcm", files.encode(elements, uid))
    return DerivedSeries(
        series_uid,
        VIRTUAL_CONTRAST.name,
        (path,),
        (uid,),
        (("1", "0"),),
        sop_class_uid=DigitalMammographyXRayImageStorageForPresentation,
    )


def _only_image(images: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    found = list(images)
    if len(found) != 1:
        raise DerivedObjectError(f"A mammogram gives one image, got {len(found)}.")
    return found[0]


def _stored(image: npt.NDArray[np.float32], source: SourceProjection) -> npt.NDArray[np.uint16]:
    """Display values 0 to 1 as 12 bits."""
    if image.shape != source.shape[1:]:
        raise DerivedObjectError(
            f"The output should have shape {source.shape[1:]}, got {image.shape}."
        )
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise DerivedObjectError("Display values should be numbers from 0 to 1, got others.")
    return np.rint(image * HIGHEST).astype("<u2")


def _empty(header: Dataset) -> Dataset:
    """Type 2 attributes, with zero length; what the source has replaces them."""
    ds = empty_elements(header)
    if "Laterality" in ds:
        del ds.Laterality  # PS3.3 C.7.3.1: not beside Image Laterality
    ds.InstanceNumber = None
    ds.PatientOrientation = None
    if header.get("FrameOfReferenceUID"):
        ds.PositionReferenceIndicator = None
    ds.DetectorType = None  # nothing was detected
    ds.PositionerType = "MAMMOGRAPHIC"  # PS3.3 C.8.11.7, type 1, the term of this IOD
    return ds


def _without_value(header: Dataset) -> frozenset[BaseTag]:
    """Attributes of type 1 that the source has, but empty."""
    return frozenset() if header.get("PositionerType") else tags(("PositionerType",))


def _own(source: SourceProjection, derivation: Derivation, series_uid: str) -> Dataset:
    """What is ours: label, provenance, series, anatomy, display (PS3.3 C.8.11.1 to C.8.11.7)."""
    header = source.headers[0]
    ds = image_common({INPUT: source}, VIRTUAL_CONTRAST, derivation)
    ds.update(source_references(header))
    ds.update(lossy_compression(source.instances[0]))
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SeriesInstanceUID = UID(series_uid)
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImageType = IMAGE_TYPE
    ds.OrganExposed = "BREAST"
    ds.AnatomicRegionSequence = codes.code_sequence([BREAST])
    ds.ViewCodeSequence = view_of(header)
    ds.AcquisitionContextSequence = Sequence()
    ds.AcquisitionDeviceProcessingDescription = PROCESSING
    ds.AcquisitionDeviceProcessingCode = PROCESSING_CODE
    return ds


def view_of(header: Dataset) -> Sequence:
    """View Code Sequence (PS3.3 C.8.11.7): the source's, else by View Position.

    Raises:
        DerivedObjectError: the mammogram does not name its view.
    """
    if header.get("ViewCodeSequence"):
        return Sequence(header.ViewCodeSequence)
    position = str(header.get("ViewPosition") or "")
    if position not in VIEWS:
        raise DerivedObjectError(
            "A mammogram needs View Code Sequence or a View Position of "
            f"{', '.join(VIEWS)}, got neither; send it again with its view."
        )
    sequence = codes.code_sequence([VIEWS[position]])
    sequence[0].ViewModifierCodeSequence = Sequence()
    return sequence


def _pixels(
    source: SourceProjection, stored: npt.NDArray[np.uint16], digest: str, uid: str
) -> Dataset:
    """Image Pixel and display; the full range is the window (PS3.3 C.8.11.3)."""
    (facts,) = source.facts()
    ds = pixel_digests(facts.digest, digest)
    ds.SOPInstanceUID = UID(uid)
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation, ds.PresentationLUTShape = "MONOCHROME2", "IDENTITY"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, BITS, BITS - 1, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.WindowCenter, ds.WindowWidth = str((HIGHEST + 1) // 2), str(HIGHEST + 1)
    # VOI LUT Function stays out: LINEAR is its default, and OHIF 3.13 shows no image that has it.
    ds.WindowCenterWidthExplanation = "SYNTHETIC"
    ds.add_new("PixelData", "OW", stored.tobytes())
    return ds
