"""What a pipeline reads: a stack of slices or a single projection, one or more by input key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from dicom_profiles.sources.projection import PROJECTION_CLASSES, SourceProjection
from dicom_profiles.sources.series import SourceInstance, SourceSeries

Source: TypeAlias = SourceSeries | SourceProjection
"""One input."""

Sources: TypeAlias = Mapping[str, Source]
"""The inputs by their key (`CT`, `IP`, `LE` ...); the first is the one on whose grid we write."""


def source_of(instances: Iterable[SourceInstance]) -> Source:
    """The source that these instances make, by their SOP class.

    Raises:
        SeriesError, GeometryError: they are neither one regular stack nor one projection.
    """
    found = tuple(instances)
    if found and all(one.header.get("SOPClassUID") in PROJECTION_CLASSES for one in found):
        return SourceProjection.of(found)
    return SourceSeries.of(found)


def reference_of(sources: Sources) -> Source:
    """The source that gives an output its grid, its patient and its study."""
    return next(iter(sources.values()))


def all_instance_uids(sources: Sources) -> tuple[str, ...]:
    """SOP Instance UIDs of all sources, input by input in slice order."""
    return tuple(uid for source in sources.values() for uid in source.sop_instance_uids)
