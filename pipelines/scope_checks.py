"""Checks that the gates share: a source held against the scope of its card, from headers alone.

Every check is a function of a source and a scope that yields a sentence for each thing that is
wrong, in words for the technologist who sent it. What a scope does not name is not checked, so a
gate lists the checks that make sense for its modality and adds its own. A source is already proven
to be one regular grid (`dicom_profiles.sources.series`) or one projection
(`dicom_profiles.sources.projection`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_profiles.dates import latest_date
from dicom_profiles.inherited import ACQUISITION_DATES, STUDY_DATES
from dicom_profiles.recognition.series import synthetic_signs
from dicom_profiles.sources.geometry import same_grid
from dicom_profiles.sources.source import Source
from dicom_profiles.storage import is_lossy
from pipelines.card import ModelCard, Range, Scope
from pipelines.contract import GateVerdict

Check: TypeAlias = Callable[[Source, Scope], Iterator[str]]
"""What is wrong with a source, by its scope: one sentence each."""

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")  # PS3.5 6.2, VR DS

GAUSS_ABOVE_T = 30.0
"""A field strength above this was written in gauss."""
GAUSS_IN_A_TESLA = 10_000.0


def verdict(
    inputs: Mapping[str, Source], card: ModelCard, checks: Sequence[Check], wanted: str
) -> GateVerdict:
    """Hold all inputs of a pipeline against its card; the first reason leads.

    Args:
        inputs: sources by input key.
        card: the model card.
        checks: of this pipeline, in the order in which their reasons are given.
        wanted: what the model takes, in words: "one CT series".
    """
    if not any(set(inputs) == set(keys) for keys in card.accepted_sets):
        got = ", ".join(sorted(inputs)) or "nothing"
        return GateVerdict.from_reasons((f"This model takes {wanted}, got: {got}.",))
    reasons = list(not_one_grid(inputs))
    for key, source in inputs.items():
        scope = card.inputs[key].scope
        found = [reason for check in checks for reason in check(source, scope)]
        reasons += [f"{key}: {reason}" for reason in found] if len(inputs) > 1 else found
    return GateVerdict.from_reasons(tuple(reasons))


def not_one_grid(inputs: Mapping[str, Source]) -> Iterator[str]:
    """Several inputs have to have their slices at the same places."""
    (first, reference), *others = inputs.items()
    for key, source in others:
        for reason in same_grid(reference, source):
            yield f"{first} and {key} do not lie on one grid. {reason}"


def values(source: Source, keyword: str) -> list[str]:
    """The different values of an attribute over all slices; absent and empty ones left out."""
    found = {str(header.get(keyword) or "") for header in source.headers}
    return sorted(found - {""})


def figures(source: Source, keyword: str) -> list[float]:
    """The different values of a numeric attribute; what is no number is left out."""
    return sorted(float(value) for value in values(source, keyword) if NUMBER.fullmatch(value))


def image_types(source: Source) -> set[tuple[str, ...]]:
    """The different Image Types (0008,0008)."""
    return {tuple(str(v) for v in header.get("ImageType") or ()) for header in source.headers}


def outside(numbers: Sequence[float], wanted: Range | None, what: str, unit: str) -> Iterator[str]:
    """A sentence when one of these numbers, as it is told, is not in the range."""
    told = [f"{number:.4g}" for number in numbers]
    wrong = [one for one in told if wanted is not None and not wanted.holds(float(one))]
    if wrong:
        yield f"The {what} is {wrong[0]} {unit}; the model takes {wanted} {unit}."


def modality(source: Source, scope: Scope) -> Iterator[str]:
    """Modality, then SOP class, then grey values."""
    found = values(source, "Modality")
    if found != [scope.modality]:
        yield (
            f"This is not a {scope.modality} series: its modality is "
            f"{', '.join(found) or 'not given'}."
        )
    elif not set(values(source, "SOPClassUID")) <= set(scope.sop_classes):
        names = " or ".join(UID(uid).name for uid in scope.sop_classes)
        yield f"The objects are not plain {scope.modality} images ({names}); send those."
    elif set(values(source, "SamplesPerPixel")) - {"1"}:
        yield "The images are in colour, as captures are; send those that the scanner measured."


def acquired(source: Source, scope: Scope) -> Iterator[str]:
    """None of the signs of a synthetic image."""
    for header in source.headers:
        signs = synthetic_signs(header)
        if signs:
            yield f"The series is already synthetic ({signs[0]}); send the acquired series."
            return


def dated(source: Source, scope: Scope) -> Iterator[str]:
    """No date in the future, and no words for one, among those that the result takes over."""
    today = latest_date()
    study = {keyword: [str(source.headers[0].get(keyword) or "")] for keyword in STUDY_DATES}
    found = study | {keyword: values(source, keyword) for keyword in ACQUISITION_DATES}
    for keyword, dates in found.items():
        late = [date[:8] for date in dates if date[:8] > today]  # letters come after digits
        if late:
            what = "lies in the future" if late[0].isdecimal() else "is no date"
            name = dictionary_description(keyword)
            yield f"The {name} {what}; correct it where it was set and send it again."


def placed(source: Source, scope: Scope) -> Iterator[str]:
    """A frame of reference (PS3.3 C.7.4.1), in which what is derived lies as well."""
    if not source.frame_of_reference:
        yield (
            "The images have no Frame of Reference UID, which ties the result to their place; "
            "send the series as the scanner made it."
        )


def image_type(source: Source, scope: Scope) -> Iterator[str]:
    """None of the values that the card refuses."""
    found = {value for kind in image_types(source) for value in kind}
    refused = [value for value in scope.image_types_refused if value in found]
    if refused:
        yield f"Image Type says {refused[0]}; the model does not take such images."


def orientation(source: Source, scope: Scope) -> Iterator[str]:
    """Slices lie across the patient's long axis, up to the allowed angle.

    A tilted gantry is another matter: it shears the stack, which is then no regular grid at all.
    """
    if scope.largest_tilt_degrees is None:
        return
    step = np.asarray(source.affine[:3, 0])
    along = abs(float(step[2])) / float(np.linalg.norm(step))
    angle = math.degrees(math.acos(min(1.0, along)))
    if angle > scope.largest_tilt_degrees:
        yield (
            f"The slices are not axial: they lie {angle:.3g} degrees off the axial plane; the "
            f"model takes up to {scope.largest_tilt_degrees:g}."
        )


def size(source: Source, scope: Scope) -> Iterator[str]:
    """Number of slices, matrix, length of the stack."""
    slices, rows, columns = source.shape
    if scope.slices is not None and not scope.slices.holds(slices):
        counted = "1 slice" if slices == 1 else f"{slices} slices"
        yield f"The series has {counted}; the model takes {scope.slices}."
    for length in sorted({rows, columns}):
        yield from outside([float(length)], scope.rows_columns, "image matrix", "pixels")
    extent = slices * float(np.linalg.norm(source.affine[:3, 0]))
    yield from outside([extent], scope.extent_mm, "length of the stack", "mm")


def spacing(source: Source, scope: Scope) -> Iterator[str]:
    """Pixel spacing, distance and thickness of slices."""
    between, *in_plane = (float(length) for length in np.linalg.norm(source.affine[:3, :3], axis=0))
    yield from outside(in_plane, scope.pixel_spacing_mm, "pixel spacing", "mm")
    yield from outside(
        in_plane, scope.imager_pixel_spacing_mm, "pixel spacing at the detector", "mm"
    )
    if source.shape[0] > 1:
        yield from outside([between], scope.slice_spacing_mm, "distance of slices", "mm")
    thicknesses = figures(source, "SliceThickness")
    yield from outside(thicknesses, scope.slice_thickness_mm, "slice thickness", "mm")


def acquisition(source: Source, scope: Scope) -> Iterator[str]:
    """Tube voltage, field strength, body part."""
    yield from outside(figures(source, "KVP"), scope.kvp, "tube voltage", "kV")
    fields = [
        field / GAUSS_IN_A_TESLA if field > GAUSS_ABOVE_T else field
        for field in figures(source, "MagneticFieldStrength")
    ]
    yield from outside(fields, scope.magnetic_field_t, "magnetic field", "T")
    parts = {part.upper() for part in values(source, "BodyPartExamined")}
    refused = sorted(parts & set(scope.refused_body_parts))
    if refused:
        yield f"The body part is {refused[0]}; the model was not trained on it."


def with_contrast(source: Source) -> bool:
    """Whether a contrast agent is named (PS3.3 C.7.6.4); some scanners write NONE for none."""
    agents = {agent.strip().upper() for agent in values(source, "ContrastBolusAgent")}
    return bool(agents - {"", "NONE", "NO"} or values(source, "ContrastBolusAgentSequence"))


def original_axial_ct(source: Source, scope: Scope) -> Iterator[str]:
    """Original axial images: no scouts, no reformats."""
    # PS3.3 C.8.2.1.1.1: value 1 is ORIGINAL or DERIVED, value 3 AXIAL or LOCALIZER
    kinds = image_types(source)
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


def kernel(source: Source, scope: Scope) -> Iterator[str]:
    """No kernel that the card refuses."""
    if not scope.refused_kernels:
        return
    for name in {str(header.get("ConvolutionKernel") or "") for header in source.headers}:
        # the attribute may have several values; they then print as a list
        if any(re.search(scope.refused_kernels, part) for part in re.findall(r"[^\[\]', ]+", name)):
            yield f"The kernel {name} is sharper than any that the model was trained on."
            return


def _has_lost(header: Dataset) -> bool:
    said = str(header.get("LossyImageCompression") or "")
    return said == "01" or (not said and is_lossy(str(header.file_meta.TransferSyntaxUID)))


def lossless(source: Source, scope: Scope) -> Iterator[str]:
    """No lossy compression, where the card refuses it (PS3.3 C.7.6.1.1.5: once 01, always 01).

    Where the attribute is silent, the transfer syntax tells.
    """
    if not scope.lossy_allowed and any(map(_has_lost, source.headers)):
        yield "The images were compressed with loss, which changes their noise; send the originals."
