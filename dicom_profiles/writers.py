"""Which profile writes the output of which pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles import (
    ct_denoised,
    ct_from_mr,
    district_segmentation,
    mg_virtual_contrast,
    pet_from_ct,
    suv_map,
)
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import Derivation
from dicom_profiles.sources.projection import SourceProjection
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.sources.source import Sources

Images: TypeAlias = Iterable[npt.NDArray[np.float32]]
"""(rows, columns) in the output's unit, in the order of the first source."""

Companions: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Further volumes by name, (slices, rows, columns) on the grid of the first source."""

Writer: TypeAlias = Callable[
    [Sources, Images, Companions, Derivation, Path], tuple[DerivedSeries, ...]
]
"""(sources, images, companions, derivation, folder) to the series that were written, images first.

Report and label are not among them: the node writes those for every pipeline.
"""


def _denoised_ct(
    sources: Sources, images: Images, _: Companions, derivation: Derivation, folder: Path
) -> tuple[DerivedSeries, ...]:
    source = sources[ct_denoised.INPUT]
    if not isinstance(source, SourceSeries):
        raise DerivedObjectError("A denoised CT needs a CT series, got a projection; send slices.")
    return (ct_denoised.write_denoised_ct(source, images, derivation, folder),)


def _synthetic_ct(
    sources: Sources, images: Images, _: Companions, derivation: Derivation, folder: Path
) -> tuple[DerivedSeries, ...]:
    return (ct_from_mr.write_synthetic_ct(sources, images, derivation, folder),)


def _virtual_contrast(
    sources: Sources, images: Images, _: Companions, derivation: Derivation, folder: Path
) -> tuple[DerivedSeries, ...]:
    source = sources[mg_virtual_contrast.INPUT]
    if not isinstance(source, SourceProjection):
        raise DerivedObjectError("Virtual contrast needs a mammogram, got a stack of slices.")
    return (mg_virtual_contrast.write_virtual_contrast(source, images, derivation, folder),)


def _synthetic_pet(
    sources: Sources, images: Images, companions: Companions, derivation: Derivation, folder: Path
) -> tuple[DerivedSeries, ...]:
    source = sources[pet_from_ct.INPUT]
    if not isinstance(source, SourceSeries):
        raise DerivedObjectError(
            "A synthetic PET needs a CT series, got a projection; send slices."
        )
    blocks = suv_map.SuvBlocks(source)
    pet = pet_from_ct.write_synthetic_pet(source, blocks.passing(images), derivation, folder)
    further = [suv_map.write_suv_map(source, pet, blocks, derivation, folder)]
    if "districts" in companions:
        districts = np.asarray(companions["districts"])
        masks = district_segmentation.write_districts(source, pet, districts, derivation, folder)
        further += [masks] if masks is not None else []
    return (pet, *further)


WRITERS: Mapping[str, Writer] = {
    "cesm_vce": _virtual_contrast,
    "ct_to_pet": _synthetic_pet,
    "ldct_denoise": _denoised_ct,
    "mr_to_ct": _synthetic_ct,
}
"""Pipeline to writer: a new derived object is one file of this package and one line here."""


def writer_for(pipeline: str) -> Writer:
    """The writer of what a pipeline gives.

    Raises:
        DerivedObjectError: no profile says how that output is to be written.
    """
    if pipeline not in WRITERS:
        raise DerivedObjectError(
            f"No profile writes the output of {pipeline!r}; add one to dicom_profiles/writers.py, "
            f"which has {', '.join(WRITERS)}."
        )
    return WRITERS[pipeline]
