"""The body districts that a PET was made by, as a Segmentation (PS3.3 A.51, C.8.20).

Binary masks of acquired pixels: they are no synthetic image and do not say that they are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from dicom_profiles import codes
from dicom_profiles.companions import CREATOR, OURS, CompanionKind, lent_slices, write_companions
from dicom_profiles.derived import DerivedSeries, synthesis_time
from dicom_profiles.encoding.element_bytes import TO_UPPER_CASE
from dicom_profiles.equipment import MODEL_NAME
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import Derivation
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.uids import derive_uid

DISTRICTS = CompanionKind(
    "SEG", 6, "body districts", prefix=MODEL_NAME, about_synthetic_pixels=False
)
GEOMETRIC = "geometric"
"""Names of ways that look at shapes begin so; others are networks."""

# PS3.16 CID 4031, CID 8134; colours of Okabe and Ito, which the colour-blind tell apart.
SEGMENTS: tuple[tuple[str, Code, CIELabColor], ...] = (
    ("Legs", Code("61685007", "SCT", "Lower limb"), CIELabColor(46.0, -2.7, -41.4)),
    ("Trunk", Code("22943007", "SCT", "Trunk"), CIELabColor(70.6, 16.5, 74.7)),
    ("Head and neck", Code("774007", "SCT", "Head and Neck"), CIELabColor(57.7, -45.7, 12.8)),
    ("Arms", Code("53120007", "SCT", "Upper limb"), CIELabColor(61.0, 38.5, -10.6)),
)
"""Label 1 and on: what the masks' values stand for, and the colour to show it in."""
CATEGORY = Code("91723000", "SCT", "Anatomical Structure")


def write_districts(
    source: SourceSeries,
    images: DerivedSeries,
    districts: npt.NDArray[np.uint8],
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries | None:
    """Write the masks, one file; none where there is no body.

    Args:
        source: the CT.
        images: the PET series that was made by them.
        districts: (slices, rows, columns) labels on the grid of the CT.
        derivation: as for the images.
        folder: made when absent; the file is SEG-0001.dcm.
    """
    if districts.shape != source.shape:
        raise DerivedObjectError(
            f"The districts should have the shape {source.shape}, got {districts.shape}."
        )
    present = [label for label in range(1, len(SEGMENTS) + 1) if (districts == label).any()]
    if not present:
        return None
    ds = hd.seg.Segmentation(
        source_images=lent_slices(source),
        pixel_array=_renumbered(districts, present),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=_descriptions(present, derivation),
        series_instance_uid=DISTRICTS.series_uid(images.series_instance_uid),
        content_label="DISTRICTS",
        content_description="Body districts used by the pipeline",
        content_creator_name=CREATOR,
        **OURS,
    )
    settle(ds, source, derivation)
    return replace(
        write_companions([ds], DISTRICTS, source.headers[0], derivation, folder),
        sop_class_uid=SegmentationStorage,
    )


def settle(ds: Dataset, source: SourceSeries, derivation: Derivation) -> None:
    """Replace what highdicom draws or reads off a clock: the same inputs give the same bytes."""
    ds.ContentDate, ds.ContentTime = synthesis_time(source.headers[0], derivation)
    organisation = derive_uid("dimensions", str(ds.SeriesInstanceUID))
    for item in [*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence]:
        item.DimensionOrganizationUID = organisation
    if "PixelData" in ds:
        ds["PixelData"].VR = "OB"  # PS3.5 A.2: one bit a pixel goes as bytes or words
    if source.headers[0].get("BodyPartExamined"):
        ds.BodyPartExamined = str(source.headers[0].BodyPartExamined).translate(TO_UPPER_CASE)


def _renumbered(districts: npt.NDArray[np.uint8], present: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Segment Numbers run from 1 without a gap (PS3.3 C.8.20.2.3)."""
    numbers = np.zeros(len(SEGMENTS) + 1, np.uint8)
    numbers[list(present)] = np.arange(1, len(present) + 1)
    return numbers[np.asarray(districts)]


def _descriptions(
    present: Sequence[int], derivation: Derivation
) -> list[hd.seg.SegmentDescription]:
    algorithm = _algorithm(derivation)
    return [
        hd.seg.SegmentDescription(
            number,
            name,
            CATEGORY,
            code,
            hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm,
            display_color=colour,
        )
        for number, label in enumerate(present, start=1)
        for name, code, colour in (SEGMENTS[label - 1],)
    ]


def _algorithm(derivation: Derivation) -> hd.AlgorithmIdentificationSequence:
    """What told the districts, as the pipeline's record says."""
    model = derivation.record.get("model")
    told = str(model.get("districts", "")) if isinstance(model, dict) else ""
    name, _, version = told.rpartition(" ")
    shapes = name.startswith(GEOMETRIC)
    family = codes.MORPHOLOGICAL_OPERATIONS if shapes else codes.ARTIFICIAL_INTELLIGENCE
    return hd.AlgorithmIdentificationSequence(
        name=(name or "unknown")[:64], family=family, version=(version or "unknown")[:64],
        parameters={"weights_sha256": derivation.model.weights_sha256},
    )  # fmt: skip
