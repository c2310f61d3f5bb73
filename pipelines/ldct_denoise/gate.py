"""The gate: is this series in the scope of the model card? From headers alone, without torch.

Every check is a function of the series and the scope that yields a sentence for each thing that
is wrong, in words for the technologist who sent the series. They are asked in the order of
`CHECKS`; the first sentence leads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from dicom_profiles.errors import ProfileError
from dicom_profiles.recognition import synthetic_signs
from pipelines.card import ModelCard, Range, Scope
from pipelines.contract import GateVerdict

if TYPE_CHECKING:
    from dicom_profiles.series import SourceSeries

IMAGE_TYPE_AXIAL = "AXIAL"
UNEVEN_SHARE = 0.1
"""A slice distance that differs from the usual one by more than this share is a gap."""


def gate(inputs: Mapping[str, SourceSeries], card: ModelCard) -> GateVerdict:
    """Hold the series against the card.

    Args:
        inputs: `{"CT": series}`.
        card: the model card.
    """
    if set(inputs) != {"CT"}:
        got = ", ".join(sorted(inputs)) or "nothing"
        return GateVerdict.from_reasons((f"This model takes one CT series, got: {got}.",))
    scope = card.inputs["CT"].scope
    reasons = [reason for check in CHECKS for reason in check(inputs["CT"], scope)]
    return GateVerdict.from_reasons(tuple(reasons))


def _values(headers: Sequence[Dataset], keyword: str) -> list[str]:
    """The different values of an attribute over all slices, "" where it is absent or empty."""
    found = {str(header.get(keyword, "") or "") for header in headers}
    return sorted(found)


def _numbers(headers: Sequence[Dataset], keyword: str) -> list[float]:
    """The different numbers of an attribute over all slices; absent or empty ones left out."""
    found: set[float] = set()
    for header in headers:
        value = header.get(keyword)
        if value is None or value == "":
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        found |= {float(number) for number in values}
    return sorted(found)


def _out_of_range(numbers: Sequence[float], wanted: Range, what: str, unit: str) -> Iterator[str]:
    outside = [number for number in numbers if not wanted.holds(number)]
    if outside:
        yield f"The {what} is {outside[0]:g} {unit}; the model takes {wanted} {unit}.".replace(
            " ;", ";"
        )


def _modality(series: SourceSeries, scope: Scope) -> Iterator[str]:
    found = _values(series.headers, "Modality")
    if found != [scope.modality]:
        yield f"This is not a CT series: its modality is {', '.join(found) or 'not given'}."
        return
    classes = _values(series.headers, "SOPClassUID")
    if not set(classes) <= set(scope.sop_classes):
        yield "The images are not of the kind CT Image Storage; send the plain axial CT images."


def _synthetic(series: SourceSeries, scope: Scope) -> Iterator[str]:
    signs = synthetic_signs(series.headers[0])
    if signs:
        yield f"The series is already synthetic ({signs[0]}); send the acquired series."


def _original_axial(series: SourceSeries, scope: Scope) -> Iterator[str]:
    # PS3.3 C.8.2.1.1.1: value 3 of a CT Image Type is AXIAL or LOCALIZER
    for header in series.headers:
        kind = [str(value) for value in header.get("ImageType", None) or []]
        if "LOCALIZER" in kind:
            yield "The series is, or holds, a localiser (scout); send the axial images."
            return
        if kind[:1] != ["ORIGINAL"]:
            yield (
                "The images are reformatted or processed (Image Type "
                f"{kind[0] if kind else 'not given'}); send the original axial images."
            )
            return
        if len(kind) > 2 and kind[2] != IMAGE_TYPE_AXIAL:
            yield f"The images are not axial (Image Type says {kind[2]})."
            return


def _orientation(series: SourceSeries, scope: Scope) -> Iterator[str]:
    for header in series.headers:
        cosines = header.get("ImageOrientationPatient")
        if cosines is None or len(cosines) != 6:
            yield "The images do not say how they lie in the patient (Image Orientation is absent)."
            return
        along = abs(_normal(cosines)[2])
        angle = math.degrees(math.acos(min(1.0, along)))
        if angle > scope.largest_tilt_degrees:
            yield f"The slices are not axial: they lie {angle:.0f} degrees off the axial plane."
            return
    tilts = [abs(tilt) for tilt in _numbers(series.headers, "GantryDetectorTilt")]
    if tilts and max(tilts) > scope.largest_tilt_degrees:
        yield f"The gantry was tilted by {max(tilts):g} degrees; the model takes none."


def _slice_count(series: SourceSeries, scope: Scope) -> Iterator[str]:
    count = len(series.headers)
    if not scope.slices.holds(count):
        yield f"The series has {count} slices; the model takes {scope.slices}."


def _matrix(series: SourceSeries, scope: Scope) -> Iterator[str]:
    sizes = _numbers(series.headers, "Rows") + _numbers(series.headers, "Columns")
    yield from _out_of_range(sizes, scope.rows_columns, "image matrix", "pixels")


def _rescale(series: SourceSeries, scope: Scope) -> Iterator[str]:
    # PS3.3 C.8.2.1: Rescale Intercept and Slope are type 1; without them a value is not HU
    for header in series.headers:
        slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
        if slope in (None, "") or intercept in (None, ""):
            yield "Rescale Slope or Intercept is missing, so the pixel values are not HU."
            return
        if not 0 < float(slope) <= 16 or not math.isfinite(float(intercept)):
            yield f"The rescale is odd (slope {slope}, intercept {intercept}): these are not HU."
            return
    kinds = set(_values(series.headers, "RescaleType")) - {"", "HU"}
    if kinds:
        yield f"The pixel values are in {', '.join(sorted(kinds))}, not in HU."


def _pixel_spacing(series: SourceSeries, scope: Scope) -> Iterator[str]:
    spacings = _numbers(series.headers, "PixelSpacing")
    if not spacings:
        yield "Pixel Spacing is missing, so the size of the image is unknown."
    yield from _out_of_range(spacings, scope.pixel_spacing_mm, "pixel spacing", "mm")


def _thickness(series: SourceSeries, scope: Scope) -> Iterator[str]:
    thicknesses = _numbers(series.headers, "SliceThickness")
    yield from _out_of_range(thicknesses, scope.slice_thickness_mm, "slice thickness", "mm")


def _normal(cosines: Sequence[float]) -> tuple[float, float, float]:
    """The slice normal in LPS from Image Orientation (Patient), PS3.3 C.7.6.2.1.1."""
    x, y, z = np.cross(np.asarray(cosines[:3], float), np.asarray(cosines[3:], float))
    return float(x), float(y), float(z)


def _slice_positions(series: SourceSeries, scope: Scope) -> Iterator[str]:
    first = series.headers[0].get("ImageOrientationPatient")
    places = [header.get("ImagePositionPatient") for header in series.headers]
    if first is None or any(place is None or len(place) != 3 for place in places):
        yield "Slice positions are missing (Image Position), so gaps cannot be ruled out."
        return
    if len(places) < 2:
        return
    along = np.sort(np.asarray(places, float) @ np.asarray(_normal(first)))
    steps = np.diff(along)
    usual = float(np.median(steps))
    yield from _out_of_range([usual], scope.slice_spacing_mm, "distance between slices", "mm")
    if usual <= 0 or float(steps.min()) <= 0:
        yield "Two slices lie at the same position; send one reconstruction at a time."
    uneven = np.flatnonzero(np.abs(steps - usual) > UNEVEN_SHARE * max(usual, 1e-3))
    if uneven.size and float(steps.min()) > 0:
        where = int(uneven[0])
        yield (
            f"Slices are missing or unevenly spaced: between slice {where + 1} and {where + 2} "
            f"there are {steps[where]:g} mm instead of {usual:g} mm."
        )


def _acquisition(series: SourceSeries, scope: Scope) -> Iterator[str]:
    yield from _out_of_range(_numbers(series.headers, "KVP"), scope.kvp, "tube voltage", "kV")
    parts = {part.upper() for part in _values(series.headers, "BodyPartExamined")}
    refused = sorted(parts & set(scope.refused_body_parts))
    if refused:
        yield f"The body part is {refused[0]}; the model was not trained on it."


def _kernel(series: SourceSeries, scope: Scope) -> Iterator[str]:
    for header in series.headers:
        kernel = header.get("ConvolutionKernel") or ""
        name = str(kernel if isinstance(kernel, str) else kernel[0])
        if re.search(scope.refused_kernels, name):
            yield f"The kernel {name} is sharper than any that the model was trained on."
            return


def _lossy(series: SourceSeries, scope: Scope) -> Iterator[str]:
    # PS3.3 C.7.6.1.1.5: once 01, always 01
    if not scope.lossy_allowed and "01" in _values(series.headers, "LossyImageCompression"):
        yield "The images were compressed with loss, which changes their noise; send the originals."


def _grid(series: SourceSeries, scope: Scope) -> Iterator[str]:
    try:
        series.affine  # noqa: B018 - asking for it is the test
    except ProfileError as error:
        yield str(error)


CHECKS: tuple[Callable[[SourceSeries, Scope], Iterator[str]], ...] = (
    _modality,
    _synthetic,
    _original_axial,
    _orientation,
    _slice_count,
    _matrix,
    _rescale,
    _pixel_spacing,
    _thickness,
    _slice_positions,
    _acquisition,
    _kernel,
    _lossy,
    _grid,
)
