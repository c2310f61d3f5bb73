"""Distances of two sets of images of one layer, quick enough to be drawn again and again.

What a distance needs of an image is computed once (its signature); a draw only chooses rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.metrics.features import FeatureTable, extract_features, standardised
from trainers.metrics.frechet import frechet_of
from trainers.metrics.histogram import (
    EVERY_GREY_LEVEL,
    TISSUES,
    correlation_of,
    intersection_of,
    kl_of,
    mean_histogram,
)
from trainers.metrics.kernel_distance import kernel_distance
from trainers.metrics.measurement import EVERY_VOXEL, DataRange, Floats, ImageSet
from trainers.metrics.radiomics import RadiomicFeatures
from trainers.metrics.spectrum import standardised_spectra

FRECHET, KERNEL = "Fréchet distance", "kernel distance"
KL_FINE, KL_COARSE = "KL, 256 bins", "KL, 3 bins"
CORRELATION, INTERSECTION = "histogram correlation", "histogram intersection"
SPECTRUM = "spectral correlation"

UNITS: Mapping[str, str] = {
    FRECHET: "1",
    KERNEL: "1",
    KL_FINE: "nat",
    KL_COARSE: "nat",
    CORRELATION: "1",
    INTERSECTION: "pixels an image",
    SPECTRUM: "1",
}
LOWER_IS_BETTER = (FRECHET, KERNEL, KL_FINE, KL_COARSE)
WITHOUT_RATIO = (KERNEL,)
"""Unbiased, so around 0 for two real sets: nothing to divide by."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What the distances need of n images.

    Attributes:
        features: (n, features), radiomic.
        fine: (n, 256) counts of grey levels.
        coarse: (n, 3) counts of thirds of the range.
        spectra: (n, pixels) float32: logarithmic spectra of unit length and mean 0.
        patients: (n,) whose each image is.
    """

    features: FeatureTable
    fine: Floats
    coarse: Floats
    spectra: npt.NDArray[np.float32]
    patients: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.fine)

    def rows(self, chosen: npt.NDArray[np.intp]) -> Signature:
        """The signature of the `chosen` images."""
        return Signature(
            self.features.rows(chosen),
            self.fine[chosen],
            self.coarse[chosen],
            self.spectra[chosen],
            self.patients[chosen],
        )


def signature(images: Floats, patients: Sequence[str], data_range: DataRange) -> Signature:
    """The signature of images (n, rows, columns)."""
    singles = [ImageSet(image[None], EVERY_VOXEL) for image in images]
    fine, coarse = (
        np.stack([mean_histogram(one, bins, data_range) for one in singles])
        for bins in (EVERY_GREY_LEVEL, TISSUES)
    )
    whole = ImageSet(images, EVERY_VOXEL)
    return Signature(
        extract_features(whole, RadiomicFeatures(), data_range),
        fine,
        coarse,
        standardised_spectra(whole, data_range).astype(np.float32),
        np.array(patients),
    )


def on_one_scale(real: Signature, others: Sequence[Signature]) -> list[Signature]:
    """All signatures with features in standard deviations of the real images, real first."""
    found = []
    for one in (real, *others):
        features = standardised(real.features, one.features)[1]
        found.append(Signature(features, one.fine, one.coarse, one.spectra, one.patients))
    return found


def distances(first: Signature, second: Signature) -> dict[str, float]:
    """Every distance of two sets with the same number of images."""
    fine = first.fine.mean(0), second.fine.mean(0)
    coarse = first.coarse.mean(0), second.coarse.mean(0)
    return {
        FRECHET: frechet_of(first.features.values, second.features.values),
        KERNEL: kernel_distance(first.features, second.features).value,
        KL_FINE: kl_of(*fine),
        KL_COARSE: kl_of(*coarse),
        CORRELATION: correlation_of(*fine),
        INTERSECTION: intersection_of(*fine),
        # the mean over all pairs of rows is the product of the mean rows
        SPECTRUM: float(first.spectra.mean(0) @ second.spectra.mean(0)),
    }
