"""Which profile writes the output of which pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import Derivation
from dicom_profiles.series import SourceSeries

Writer: TypeAlias = Callable[
    [SourceSeries, Iterable[npt.NDArray[np.float32]], Derivation, Path], DerivedSeries
]
"""(source, slices in source order, derivation, folder) to the images that were written."""

WRITERS: Mapping[str, Writer] = {"ldct_denoise": write_denoised_ct}
"""Pipeline to writer: a new derived image is one file of this package and one line here."""


def writer_for(pipeline: str) -> Writer:
    """The writer of a pipeline's images.

    Raises:
        DerivedObjectError: no profile says how that output is to be written.
    """
    if pipeline not in WRITERS:
        raise DerivedObjectError(
            f"No profile writes the output of {pipeline!r}; there are: {', '.join(WRITERS)}."
        )
    return WRITERS[pipeline]
