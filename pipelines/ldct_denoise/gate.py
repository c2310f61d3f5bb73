"""The gate: is this series in the scope of the model card? From headers alone, without torch.

A `SourceSeries` is already proven to be one regular grid in HU (`dicom_profiles.series`: gaps,
double positions, gantry tilt and missing rescale are refused there). Here it is held against the
card. Every check is a function of the series and the scope that yields a sentence for each thing
that is wrong, in words for the technologist who sent the series; the first sentence leads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dicom_profiles.recognition import synthetic_signs
from pipelines.card import ModelCard, Range, Scope
from pipelines.contract import GateVerdict

if TYPE_CHECKING:
    from dicom_profiles.series import SourceSeries


def gate(inputs: Mapping[str, SourceSeries], card: ModelCard) -> GateVerdict:
    """Hold the series against the card.

    Args:
        inputs: `{"CT": series}`.
        card: the model card.
    """
    if set(inputs) != {"CT"}:
        got = ", ".join(sorted(inputs)) or "nothing"
        return GateVerdict.from_reasons((f"This model takes one CT series, got: {got}.",))
    series, scope = inputs["CT"], card.inputs["CT"].scope
    reasons = [reason for check in CHECKS for reason in check(series, scope)]
    return GateVerdict.from_reasons(tuple(reasons))


def _values(series: SourceSeries, keyword: str) -> list[str]:
    """The different values of an attribute over all slices; absent and empty ones left out."""
    found = {str(header.get(keyword) or "") for header in series.headers}
    return sorted(found - {""})


def _numbers(series: SourceSeries, keyword: str) -> list[float]:
    """The different values of a numeric attribute; what is no number is left out."""
    return sorted(
        float(value) for value in _values(series, keyword) if re.fullmatch(r"[-+.\deE]+", value)
    )


def _out_of_range(numbers: list[float], wanted: Range, what: str, unit: str) -> Iterator[str]:
    outside = [number for number in numbers if not wanted.holds(number)]
    if outside:
        yield f"The {what} is {outside[0]:.4g} {unit}; the model takes {wanted} {unit}."


def _modality(series: SourceSeries, scope: Scope) -> Iterator[str]:
    found = _values(series, "Modality")
    if found != [scope.modality]:
        yield (
            f"This is not a {scope.modality} series: its modality is "
            f"{', '.join(found) or 'not given'}."
        )
    elif not set(_values(series, "SOPClassUID")) <= set(scope.sop_classes):
        yield "The objects are not plain CT images (CT Image Storage); send the axial CT images."


def _synthetic(series: SourceSeries, scope: Scope) -> Iterator[str]:
    for header in series.headers:
        signs = synthetic_signs(header)
        if signs:
            yield f"The series is already synthetic ({signs[0]}); send the acquired series."
            return


def _original_axial(series: SourceSeries, scope: Scope) -> Iterator[str]:
    # PS3.3 C.8.2.1.1.1: value 1 is ORIGINAL or DERIVED, value 3 AXIAL or LOCALIZER
    kinds = {tuple(str(v) for v in header.get("ImageType") or ()) for header in series.headers}
    firsts = {kind[0] if kind else "not given" for kind in kinds}
    thirds = {kind[2] for kind in kinds if len(kind) > 2 and kind[2]}
    if "LOCALIZER" in thirds:
        yield "The series is a localiser (scout), or holds one; send the axial images."
    elif firsts != {"ORIGINAL"}:
        wrong = ", ".join(sorted(firsts - {"ORIGINAL"}))
        yield (
            f"The images are reformatted or processed (Image Type {wrong}); send the original "
            "axial images."
        )
    elif not thirds <= {"AXIAL"}:
        yield f"The images are not axial (Image Type says {', '.join(sorted(thirds))})."


def _orientation(series: SourceSeries, scope: Scope) -> Iterator[str]:
    step = np.asarray(series.affine[:3, 0])
    along = abs(float(step[2])) / float(np.linalg.norm(step))
    angle = math.degrees(math.acos(min(1.0, along)))
    if angle > scope.largest_tilt_degrees:
        yield f"The slices are not axial: they lie {angle:.0f} degrees off the axial plane."


def _extent(series: SourceSeries, scope: Scope) -> Iterator[str]:
    slices, rows, columns = series.shape
    if not scope.slices.holds(slices):
        yield f"The series has {slices} slices; the model takes {scope.slices}."
    for size in sorted({rows, columns}):
        yield from _out_of_range([float(size)], scope.rows_columns, "image matrix", "pixels")


def _spacing(series: SourceSeries, scope: Scope) -> Iterator[str]:
    between, *in_plane = (float(length) for length in np.linalg.norm(series.affine[:3, :3], axis=0))
    yield from _out_of_range(in_plane, scope.pixel_spacing_mm, "pixel spacing", "mm")
    if series.shape[0] > 1:
        yield from _out_of_range([between], scope.slice_spacing_mm, "distance of slices", "mm")
    thicknesses = _numbers(series, "SliceThickness")
    yield from _out_of_range(thicknesses, scope.slice_thickness_mm, "slice thickness", "mm")


def _acquisition(series: SourceSeries, scope: Scope) -> Iterator[str]:
    yield from _out_of_range(_numbers(series, "KVP"), scope.kvp, "tube voltage", "kV")
    parts = {part.upper() for part in _values(series, "BodyPartExamined")}
    refused = sorted(parts & set(scope.refused_body_parts))
    if refused:
        yield f"The body part is {refused[0]}; the model was not trained on it."


def _kernel(series: SourceSeries, scope: Scope) -> Iterator[str]:
    for kernel in {str(header.get("ConvolutionKernel") or "") for header in series.headers}:
        # the attribute may have several values; they then print as a list
        if any(
            re.search(scope.refused_kernels, name) for name in re.findall(r"[^\[\]', ]+", kernel)
        ):
            yield f"The kernel {kernel} is sharper than any that the model was trained on."
            return


def _lossy(series: SourceSeries, scope: Scope) -> Iterator[str]:
    # PS3.3 C.7.6.1.1.5: once 01, always 01
    if not scope.lossy_allowed and "01" in _values(series, "LossyImageCompression"):
        yield "The images were compressed with loss, which changes their noise; send the originals."


CHECKS: tuple[Callable[[SourceSeries, Scope], Iterator[str]], ...] = (
    _modality,
    _synthetic,
    _original_axial,
    _orientation,
    _extent,
    _spacing,
    _acquisition,
    _kernel,
    _lossy,
)
"""All checks, in the order in which their reasons are given."""
