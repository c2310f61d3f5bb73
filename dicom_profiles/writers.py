"""Which profile writes the output of which pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles import ct_denoised, mg_virtual_contrast
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.projection import SourceProjection
from dicom_profiles.provenance import Derivation
from dicom_profiles.series import SourceSeries
from dicom_profiles.source import Sources

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


def _virtual_contrast(
    sources: Sources, images: Images, _: Companions, derivation: Derivation, folder: Path
) -> tuple[DerivedSeries, ...]:
    source = sources[mg_virtual_contrast.INPUT]
    if not isinstance(source, SourceProjection):
        raise DerivedObjectError("Virtual contrast needs a mammogram, got a stack of slices.")
    return (mg_virtual_contrast.write_virtual_contrast(source, images, derivation, folder),)


WRITERS: Mapping[str, Writer] = {
    "cesm_vce": _virtual_contrast,
    "ldct_denoise": _denoised_ct,
}
"""Pipeline to writer: a new derived object is one file of this package and one line here."""


def writer_for(pipeline: str) -> Writer:
    """The writer of what a pipeline gives.

    Raises:
        DerivedObjectError: no profile says how that output is to be written.
    """
    if pipeline not in WRITERS:
        raise DerivedObjectError(
            f"No profile writes the output of {pipeline!r}; there are: {', '.join(WRITERS)}."
        )
    return WRITERS[pipeline]
