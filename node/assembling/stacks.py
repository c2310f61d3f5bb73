"""Splitting a series into stacks: images that can be one volume.

Scouts, reformats, dose screens and images of another size may sit in one series with the axial
images. Each becomes a stack of its own, with the difference in words. Pure; nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom import Dataset

from dicom_profiles.sources.projection import PROJECTION_CLASSES
from dicom_profiles.sources.series import SourceInstance

SAME_COSINE = 0.01
"""Largest difference of a direction cosine within a stack, about half a degree."""

SAME_SPACING = 0.001
"""Largest relative difference of Pixel Spacing within a stack."""

PLACE_DECIMALS = 2
"""Of Image Position in mm: what is nearer than this is one place."""

SAME_ECHO_MS = 0.05
"""Largest difference of Echo Time within a stack; 3 T dual echo has 1.15 ms between echoes."""

CONTRAST_TERMS = frozenset(
    (
        *("M", "P", "R", "I"),  # magnitude, phase, real, imaginary
        *("IP", "IN_PHASE", "INPHASE", "OP", "OUT_PHASE", "OPP_PHASE", "OUTPHASE"),
        *("W", "WATER", "F", "FAT", "FF", "FAT_FRACTION", "WATER_FRACTION"),
        *("T2_STAR", "R2_STAR"),
    )
)
"""Values of Image Type (0008,0008) that tell images of one MR acquisition apart."""

VIEW = ("ImageLaterality", "ViewPosition")
"""What tells the projections of a study apart, for people (PS3.3 C.8.11.7)."""

MAIN_AXES = ("sagittal", "coronal", "axial")  # normal along x, y, z of the patient (LPS)
OBLIQUE_BELOW = 0.9


@dataclass(frozen=True, eq=False)
class Stack:
    """Images of one series that belong together, or one projection of it.

    Attributes:
        instances: in no particular order.
        label: what it is, for people: `axial CT, 512 x 512`.
        difference: how it differs from the largest stack of its series, "" for the largest.
    """

    instances: tuple[SourceInstance, ...]
    label: str
    difference: str

    @property
    def is_projection(self) -> bool:
        """Whether it is one projection (a mammogram), which stands for itself."""
        return self.headers[0].get("SOPClassUID") in PROJECTION_CLASSES if self.instances else False

    @property
    def headers(self) -> tuple[Dataset, ...]:
        """Headers of all images."""
        return tuple(instance.header for instance in self.instances)


@dataclass(frozen=True)
class Kind:
    """What all images of a stack share."""

    sop_class: str
    localiser: bool
    derived: bool
    frame_of_reference: str
    matrix: tuple[str, str]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    echo: tuple[float, ...] = ()
    contrast: frozenset[str] = frozenset()
    projection: str = ""
    acquisition: str = ""

    def differences(self, other: Kind) -> list[str]:
        """What separates two stacks, in words; nothing when they are one."""
        found = {
            "kind of object": self.sop_class != other.sop_class,
            "localiser": self.localiser != other.localiser,
            "original or derived": self.derived != other.derived,
            "frame of reference": self.frame_of_reference != other.frame_of_reference,
            "matrix": self.matrix != other.matrix,
            "orientation": not _close(self.orientation, other.orientation, SAME_COSINE),
            "pixel spacing": not _close(self.spacing, other.spacing, SAME_SPACING),
            "echo": not _close(self.echo, other.echo, SAME_ECHO_MS),
            "contrast": self.contrast != other.contrast,
            "projection": self.projection != other.projection,
            "acquisition": self.acquisition != other.acquisition,
        }
        return [name for name, differs in found.items() if differs]


def split_series(instances: Sequence[SourceInstance]) -> tuple[Stack, ...]:
    """The stacks of one series, the largest first; the order of the images does not matter."""
    groups: list[tuple[Kind, list[SourceInstance]]] = []
    for instance in sorted(instances, key=lambda one: str(one.header.SOPInstanceUID)):
        kind = kind_of(instance.header)
        for known, members in groups:
            if not kind.differences(known):
                members.append(instance)
                break
        else:
            groups.append((kind, [instance]))
    groups = [part for group in groups for part in _acquisitions(*group)]
    groups.sort(key=lambda group: (-len(group[1]), group[0].localiser, group[0].derived))
    return tuple(
        Stack(tuple(members), label_of(kind, members[0].header), _difference(kind, groups[0][0]))
        for kind, members in groups
    )


def _acquisitions(
    kind: Kind, members: list[SourceInstance]
) -> list[tuple[Kind, list[SourceInstance]]]:
    """The group itself, or its acquisitions where that explains why places come more than once.

    Step-and-shoot scans number every rotation, so the number alone splits nothing.
    """
    if _has_each_place_once(members):
        return [(kind, members)]
    parts: dict[str, list[SourceInstance]] = {}
    for member in members:
        parts.setdefault(str(member.header.get("AcquisitionNumber") or ""), []).append(member)
    if "" in parts or not all(map(_has_each_place_once, parts.values())):
        return [(kind, members)]
    return [(replace(kind, acquisition=number), parts[number]) for number in sorted(parts)]


def _has_each_place_once(members: Sequence[SourceInstance]) -> bool:
    places = {
        tuple(round(value, PLACE_DECIMALS) for value in position)
        for position in (numbers(one.header.get("ImagePositionPatient"), 3) for one in members)
        if position
    }
    return len(places) == len(members)


def kind_of(header: Dataset) -> Kind:
    """What decides in which stack an image is."""
    image_type = [str(value) for value in header.get("ImageType") or []]
    spacing = numbers(header.get("PixelSpacing"), 2)
    return Kind(
        sop_class=str(header.get("SOPClassUID", "")),
        localiser="LOCALIZER" in image_type,  # PS3.3 C.8.2.1.1.1
        derived=image_type[:1] == ["DERIVED"],
        frame_of_reference=str(header.get("FrameOfReferenceUID", "")),
        matrix=(str(header.get("Rows", "")), str(header.get("Columns", ""))),
        orientation=numbers(header.get("ImageOrientationPatient"), 6),
        spacing=tuple(float(np.log(value)) for value in spacing if value > 0),
        **_told_apart(header, image_type),
    )


def _told_apart(header: Dataset, image_type: Sequence[str]) -> dict[str, Any]:
    """What tells images of one place apart: the echo of an MR, the projection itself."""
    if header.get("SOPClassUID") in PROJECTION_CLASSES:
        return {"projection": str(header.get("SOPInstanceUID", ""))}
    if header.get("Modality") != "MR":
        return {}
    # PS3.3 C.8.3.1: one acquisition may give several echoes and several kinds of images.
    echo = (header.get("EchoTime"), *_first(header.get("EchoNumbers")))
    return {
        "echo": numbers([part for part in echo if part is not None]),
        "contrast": CONTRAST_TERMS & {value.upper() for value in image_type},
    }


def _first(value: Any) -> tuple[Any, ...]:
    """The first of an attribute's values, nothing when it has none."""
    if value is None or value == "":
        return ()
    return (value if isinstance(value, (int, float, str)) else next(iter(value), None),)


def label_of(kind: Kind, header: Dataset) -> str:
    """What the images are, for people."""
    words = [str(header.get("Modality") or "object")]
    if kind.orientation:
        words.insert(0, plane_of(kind.orientation))
    if kind.localiser:
        words.append("localiser")
    elif kind.derived:
        words.append("derived")
    words += [
        str(header.get(keyword)) for keyword in VIEW if kind.projection and header.get(keyword)
    ]
    if kind.echo:
        time_ms = numbers([header.get("EchoTime")])
        words.append(f"TE {time_ms[0]:g} ms" if time_ms else f"echo {kind.echo[-1]:g}")
    if kind.acquisition:
        words.append(f"acquisition {kind.acquisition}")
    text = " ".join(words)
    return f"{text}, {kind.matrix[0]} x {kind.matrix[1]}" if all(kind.matrix) else text


def plane_of(orientation: Sequence[float]) -> str:
    """Axial, coronal, sagittal or oblique, from Image Orientation (PS3.3 C.7.6.2.1.1)."""
    normal = np.abs(np.cross(np.asarray(orientation[:3]), np.asarray(orientation[3:])))
    axis = int(np.argmax(normal))
    return MAIN_AXES[axis] if normal[axis] >= OBLIQUE_BELOW else "oblique"


def numbers(value: Any, count: int | None = None) -> tuple[float, ...]:
    """The numbers of an attribute, or none when it has not that many finite ones."""
    try:
        found = tuple(float(part) for part in value)
    except (TypeError, ValueError):
        return ()
    return found if count in (None, len(found)) and np.isfinite(found).all() else ()


def _close(one: tuple[float, ...], other: tuple[float, ...], limit: float) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= limit for a, b in zip(one, other, strict=True)
    )


def _difference(kind: Kind, largest: Kind) -> str:
    return ", ".join(kind.differences(largest))
