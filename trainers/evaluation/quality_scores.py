"""The fifteen scores of the paired-versus-unpaired study: seven with the truth, eight without.

As in the study of low-dose CT (arXiv 2304.05359). Scores that need downloaded weights there have a
stand-in here that needs none, and the table says for what it stands; networks of a site's own take
the place of the stand-ins (`Networks`). All see values scaled to [0, 1] in one window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from scipy.ndimage import convolve
from sklearn.mixture import GaussianMixture
from torch import nn

from trainers.losses.filter_bank import FilterBank
from trainers.metrics.features import (
    FeatureExtractor,
    FeatureTable,
    extract_features,
    standardised,
)
from trainers.metrics.frechet import frechet_distance
from trainers.metrics.intensity import psnr
from trainers.metrics.kernel_distance import kernel_distance
from trainers.metrics.measurement import EVERY_VOXEL, DataRange, Floats, ImageSet
from trainers.metrics.naturalness import NaturalnessModel, fit_naturalness, naturalness
from trainers.metrics.radiomics import RadiomicFeatures
from trainers.metrics.sharpness import blur
from trainers.metrics.similarity import ssim
from trainers.metrics.spectrum import raps_distance
from trainers.metrics.visual_information import vif

CLUSTERS = 5
"""Classes of the mixture that stands for a classifier."""
SMALLEST_NOISE = 1e-6
LAPLACE = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
"""Difference of two Laplacians: blind to edges of constant slope (Immerkaer 1996)."""


@dataclass(frozen=True)
class ScoreFacts:
    """One of the fifteen.

    Attributes:
        in_paper: what the study used; the same word where it is the same thing.
        paired: whether it sees the truth.
        better: which values are better.
    """

    in_paper: str
    paired: bool
    better: Literal["lower", "higher"]


SCORES: Mapping[str, ScoreFacts] = {
    "MSE": ScoreFacts("MSE", True, "lower"),
    "PSNR": ScoreFacts("PSNR", True, "higher"),
    "SSIM": ScoreFacts("SSIM", True, "higher"),
    "VIF": ScoreFacts("VIF", True, "higher"),
    "filter bank, fine": ScoreFacts("LPIPS-VGG", True, "lower"),
    "filter bank, middle": ScoreFacts("LPIPS-Alex", True, "lower"),
    "filter bank, coarse": ScoreFacts("LPIPS-Squeeze", True, "lower"),
    "Fréchet, radiomic": ScoreFacts("FID", False, "lower"),
    "kernel, radiomic": ScoreFacts("KID", False, "lower"),
    "mixture score": ScoreFacts("IS", False, "higher"),
    "SNR": ScoreFacts("SNR", False, "higher"),
    "blur": ScoreFacts("BRISQUE", False, "lower"),
    "naturalness": ScoreFacts("NIQE", False, "lower"),
    "noise level": ScoreFacts("PaQ-2-PiQ", False, "lower"),
    "RAPS distance": ScoreFacts("RAPS-FD", False, "lower"),
}
PAIRED = tuple(name for name, facts in SCORES.items() if facts.paired)
UNPAIRED = tuple(name for name, facts in SCORES.items() if not facts.paired)
PERCEPTUAL = tuple(name for name in PAIRED if name.startswith("filter bank"))


@dataclass(frozen=True)
class Networks:
    """What a site puts in the place of the stand-ins.

    Attributes:
        features: of images, for Fréchet and kernel distance.
        perceptual: up to three networks, for the three distances that see the truth.
    """

    features: FeatureExtractor = field(default_factory=RadiomicFeatures)
    perceptual: tuple[nn.Module, ...] = ()


@dataclass(frozen=True, eq=False)
class Reference:
    """Good images of others, against which the unpaired scores are taken.

    Attributes:
        images: (n, rows, columns).
        features: of the images, by the site's network or radiomic.
        radiomics: radiomic features of the images.
        model: what their patches are like.
        mixture: clusters of their radiomic features, in the place of a classifier.
    """

    images: Floats
    features: FeatureTable
    radiomics: FeatureTable
    model: NaturalnessModel
    mixture: GaussianMixture


def reference_of(
    images: Floats, data_range: DataRange, networks: Networks, seed: int = 0
) -> Reference:
    """Fit what the unpaired scores need to good images (n, rows, columns)."""
    good = ImageSet(images, EVERY_VOXEL)
    features, radiomics = (
        extract_features(good, extractor, data_range)
        for extractor in (networks.features, RadiomicFeatures())
    )
    clusters = min(CLUSTERS, max(2, len(images) // 4))
    mixture = GaussianMixture(clusters, covariance_type="diag", reg_covar=1e-3, random_state=seed)
    mixture.fit(standardised(radiomics, radiomics)[1].values)
    model = fit_naturalness(good, data_range)
    return Reference(images, features, radiomics, model, mixture)


def fifteen_scores(
    truth: Floats,
    output: Floats,
    reference: Reference,
    data_range: DataRange,
    networks: Networks,
    seed: int = 0,
) -> dict[str, float]:
    """Every score of a few images.

    Args:
        truth: (n, rows, columns).
        output: the same images as the method gives them.
        reference: good images of others.
        data_range: the window; its width is the range.
        networks: in the place of the stand-ins.
        seed: of the images that are drawn from the reference, as many as there are outputs.
    """
    return dict(_paired(truth, output, data_range, networks)) | dict(
        _unpaired(output, reference, data_range, networks, seed)
    )


def _paired(
    truth: Floats, output: Floats, data_range: DataRange, networks: Networks
) -> Iterator[tuple[str, float]]:
    """The seven that see the truth; means over the images."""
    first, second = data_range.scale(truth), data_range.scale(output)
    yield "MSE", float(((first - second) ** 2).mean())
    pairs = list(zip(truth, output, strict=True))
    for name, metric in (("PSNR", psnr), ("SSIM", ssim), ("VIF", vif)):
        yield name, float(np.mean([metric(a, b, data_range, EVERY_VOXEL).value for a, b in pairs]))
    yield from zip(PERCEPTUAL, perceptual_distances(first, second, networks), strict=True)


@torch.inference_mode()
def perceptual_distances(first: Floats, second: Floats, networks: Networks) -> list[float]:
    """Mean absolute differences of features of images (n, rows, columns) in [0, 1].

    At three scales of the filter bank; networks that are given take the place of the first ones.
    """
    images = [torch.from_numpy(one.astype(np.float32)).unsqueeze(1) for one in (first, second)]
    found = [
        float((a - b).abs().mean())
        for a, b in zip(*(FilterBank(len(PERCEPTUAL))(one) for one in images), strict=True)
    ]
    for place, network in enumerate(networks.perceptual[: len(PERCEPTUAL)]):
        a, b = (network(one.expand(-1, 3, -1, -1)) for one in images)
        found[place] = float((a - b).abs().mean())
    return found


def _unpaired(
    output: Floats, reference: Reference, data_range: DataRange, networks: Networks, seed: int
) -> Iterator[tuple[str, float]]:
    """The eight that do not."""
    count = len(output)
    drawn = np.random.default_rng(seed).permutation(len(reference.images))[:count]
    good = ImageSet(reference.images[drawn], EVERY_VOXEL)
    made = ImageSet(output[: len(drawn)], EVERY_VOXEL)
    features = extract_features(made, networks.features, data_range)
    scaled = [
        standardised(reference.features, table)[1]
        for table in (reference.features.rows(drawn), features)
    ]
    yield "Fréchet, radiomic", frechet_distance(*scaled).value
    yield "kernel, radiomic", kernel_distance(*scaled).value
    yield "mixture score", mixture_score(output, reference, data_range)
    images = data_range.scale(output)
    noise = np.array([noise_level(image) for image in images])
    ratio = images.mean((1, 2)) / np.maximum(noise, SMALLEST_NOISE)
    yield "SNR", float(np.mean(20 * np.log10(np.maximum(ratio, SMALLEST_NOISE))))
    yield "blur", blur(made, data_range).value
    yield "naturalness", naturalness(ImageSet(output, EVERY_VOXEL), reference.model).value
    yield "noise level", float(noise.mean())
    yield "RAPS distance", raps_distance(good, made, data_range).value


def mixture_score(output: Floats, reference: Reference, data_range: DataRange) -> float:
    """The inception score's formula over the reference's clusters: 1 to the number of clusters."""
    table = extract_features(ImageSet(output, EVERY_VOXEL), RadiomicFeatures(), data_range)
    values = standardised(reference.radiomics, table)[1].values
    shares = reference.mixture.predict_proba(values) + 1e-12
    mean = shares.mean(0)
    return float(np.exp((shares * np.log(shares / mean)).sum(1).mean()))


def noise_level(image: Floats) -> float:
    """Standard deviation of the noise of an image (rows, columns), after Immerkaer."""
    response = np.abs(convolve(image, LAPLACE))[1:-1, 1:-1]
    return float(math.sqrt(math.pi / 2) / 6 * response.mean())
