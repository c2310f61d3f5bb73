"""The label as a Grayscale Softcopy Presentation State (PS3.3 A.33.1).

The word SYNTHETIC over every image of the series, for viewers that show
presentation states but no overlay planes. A state has one modality LUT, so slices
that are rescaled differently get a state each.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
from highdicom import color, pr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, GrayscaleSoftcopyPresentationStateStorage

from dicom_profiles.companions import (
    CREATOR,
    OURS,
    CompanionKind,
    lent,
    references,
    write_companions,
)
from dicom_profiles.derived import PREFIX, DerivedSeries, synthesis_time
from dicom_profiles.inherited import UNPAIRED_BODY_PARTS
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import read_header
from dicom_profiles.sources.source import Sources, reference_of

LABEL = CompanionKind("LABEL", 8, "label")
TEXT = f"{PREFIX} - NOT ACQUIRED"
BOUNDING_BOX = (0.02, 0.02, 0.60, 0.07)
"""Left, top, right, bottom of the text as shares of the display."""
OVERLAY_ACTIVATION_LAYER = 0x60001001
YELLOW = color.CIELabColor(l_star=97.1, a_star=-21.5, b_star=94.5)


def write_label(
    sources: Sources, derived: DerivedSeries, derivation: Derivation, folder: Path
) -> DerivedSeries:
    """Write the label of a derived image series, one file for each rescale in it.

    Args:
        sources: what was read, by input key.
        derived: the image series that was written; its files are read.
        derivation: as for the images.
        folder: made when absent; files are named LABEL-0001.dcm and on.
    """
    first = read_header(derived.paths[0])
    header = reference_of(sources).headers[0]
    states = [
        _state(derived, first, rescale, instances)
        for rescale, instances in _by_rescale(derived).items()
    ]
    for state in states:
        state.PresentationCreationDate, state.PresentationCreationTime = synthesis_time(
            header, derivation
        )
    return replace(
        write_companions(states, LABEL, header, derivation, folder),
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
    )


def _by_rescale(derived: DerivedSeries) -> dict[tuple[str, str], list[str]]:
    """SOP Instance UIDs of the images, by slope and intercept."""
    groups: dict[tuple[str, str], list[str]] = {}
    rescales = derived.rescales or [_rescale_in(path) for path in derived.paths]
    for uid, rescale in zip(derived.sop_instance_uids, rescales, strict=True):
        groups.setdefault(rescale, []).append(uid)
    return groups


def _rescale_in(path: Path) -> tuple[str, str]:
    header = pydicom.dcmread(path, specific_tags=["RescaleSlope", "RescaleIntercept"])
    return str(header.RescaleSlope), str(header.RescaleIntercept)


def _state(
    derived: DerivedSeries, first: Dataset, rescale: tuple[str, str], instances: list[str]
) -> Dataset:
    """The presentation state of images with one rescale; `first` lends all else."""
    lender = lent(first)
    lender.RescaleSlope, lender.RescaleIntercept = rescale
    layer = pr.GraphicLayer(PREFIX, 1, "Says that the images are synthetic", YELLOW)
    text = pr.TextObject(TEXT, pr.AnnotationUnitsValues.DISPLAY, BOUNDING_BOX)
    ds: Dataset = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[lender],
        series_instance_uid=LABEL.series_uid(derived.series_instance_uid),
        content_label=PREFIX,
        content_description="Label for synthetic images",
        content_creator_name=CREATOR,
        graphic_annotations=[pr.GraphicAnnotation([lender], layer, text_objects=[text])],
        graphic_layers=[layer],
        voi_lut_transformations=[_window(first)],
        **OURS,
    )
    _refer_to(ds, derived, instances)
    _set_body_part(ds, first)
    _set_pixel_size(ds, first)
    # PS3.3 C.11.7: a state that does not name the layer of the images' overlay switches it off.
    ds.add_new(OVERLAY_ACTIVATION_LAYER, "CS", PREFIX)
    return ds


def _window(first: Dataset) -> pr.SoftcopyVOILUTTransformation:
    """The first window of the images."""
    center, width = (
        float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)
        for value in (first.WindowCenter, first.WindowWidth)
    )
    return pr.SoftcopyVOILUTTransformation(
        window_center=center, window_width=width, voi_lut_function=first.get("VOILUTFunction")
    )


def _refer_to(ds: Dataset, derived: DerivedSeries, instances: list[str]) -> None:
    """Apply the state to all these images (PS3.3 C.11.11)."""
    series = Dataset()
    series.SeriesInstanceUID = UID(derived.series_instance_uid)
    series.ReferencedImageSequence = references(derived.sop_class_uid, instances)
    ds.ReferencedSeriesSequence = Sequence([series])
    # PS3.3 C.10.5: without a list of its own the text lies over every image of the state.
    del ds.GraphicAnnotationSequence[0].ReferencedImageSequence


def _set_body_part(ds: Dataset, first: Dataset) -> None:
    """Body part and side as in the images; highdicom leaves them out (PS3.3 C.7.3.1)."""
    body_part = first.get("BodyPartExamined")
    if body_part:
        ds.BodyPartExamined = body_part
    if str(body_part or "").upper() not in UNPAIRED_BODY_PARTS:
        ds.Laterality = first.get("Laterality") or first.get("ImageLaterality")


def _set_pixel_size(ds: Dataset, first: Dataset) -> None:
    """Size of a pixel as in the images; highdicom calls every pixel a square (PS3.3 C.10.4)."""
    spacing = first.get("PixelSpacing") or first.get("ImagerPixelSpacing")
    if spacing:
        (area,) = ds.DisplayedAreaSelectionSequence
        area.PresentationPixelSpacing = spacing
        del area.PresentationPixelAspectRatio
