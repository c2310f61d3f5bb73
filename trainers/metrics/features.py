"""Feature tables: what distances between sets of images are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from trainers.metrics.measurement import (
    DataRange,
    Floats,
    ImageSet,
    MetricError,
)


class FeatureExtractor(Protocol):
    """Turns images into features; the name goes into every record."""

    name: str

    def __call__(self, images: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
        """Features (n, features) of `images` (n, rows, columns) in [0, 1].

        `inside` has their shape and is true where a pixel counts.
        """
        ...


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of a set of images, with what they depend on.

    Attributes:
        values: (n, features).
        extractor: name of the extractor.
        data_range: values that counted.
        mask: pixels that counted, in words.
    """

    values: Floats
    extractor: str
    data_range: DataRange | None
    mask: str

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, chosen: npt.NDArray[np.intp]) -> FeatureTable:
        """The table of the `chosen` images."""
        return FeatureTable(self.values[chosen], self.extractor, self.data_range, self.mask)


def extract_features(
    images: ImageSet, extractor: FeatureExtractor, data_range: DataRange
) -> FeatureTable:
    """The feature table of `images`."""
    values = extractor(data_range.scale(images.images), images.mask.inside(images.images))
    if values.shape[0] != len(images) or not np.isfinite(values).all():
        raise MetricError(
            f"{extractor.name} gave features of shape {values.shape} for {len(images)} images, or "
            "some that are not finite; look at the extractor."
        )
    return FeatureTable(values, extractor.name, data_range, images.mask.description)


def comparable(real: FeatureTable, synthetic: FeatureTable) -> None:
    """Refuse two tables that were not made in the same way."""
    for what, first, second in (
        ("extractor", real.extractor, synthetic.extractor),
        ("data range", real.data_range, synthetic.data_range),
        ("mask", real.mask, synthetic.mask),
        ("number of features", real.values.shape[1], synthetic.values.shape[1]),
    ):
        if first != second:
            raise MetricError(f"Tables of one {what} are wanted, got {first!r} and {second!r}.")


def standardised(real: FeatureTable, synthetic: FeatureTable) -> tuple[FeatureTable, FeatureTable]:
    """Both tables in standard deviations of the real one; features that never change left out.

    Radiomic features have many units: without this, the one with the largest numbers decides.
    """
    comparable(real, synthetic)
    deviation = real.values.std(0)
    centre = real.values.mean(0)
    kept = deviation > 1e-9 * np.maximum(1, np.abs(centre))
    first, second = (
        FeatureTable(
            (table.values[:, kept] - centre[kept]) / deviation[kept],
            f"{table.extractor}, standardised",
            table.data_range,
            table.mask,
        )
        for table in (real, synthetic)
    )
    return first, second


class NetworkFeatures:
    """Any torch network as extractor: its output, pooled over space, is the feature vector.

    The network must have its weights: this class fetches none. Published comparisons need the
    network they used (InceptionV3 for FID, SwAV for the variant that agrees with readers).

    Args:
        network: takes (n, channels, rows, columns) in [0, 1] and gives (n, features, ...).
        name: of network and weights, for the record.
        channels: copies of the image that the network wants: 3 for ImageNet's.
        batch: images at a time.
    """

    def __init__(self, network: nn.Module, name: str, channels: int = 3, batch: int = 32) -> None:
        self.name = name
        self._network = network.eval()
        self._channels = channels
        self._batch = batch

    def __call__(self, images: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
        """Features (n, features); pixels that do not count are set to 0."""
        filled = torch.from_numpy(np.where(inside, images, 0).astype(np.float32))
        parameter = next(self._network.parameters(), torch.empty(0))
        parts = []
        with torch.no_grad():
            for part in torch.split(filled, self._batch):
                planes = part.unsqueeze(1).expand(-1, self._channels, -1, -1)
                output = self._network(planes.to(parameter.device))
                pooled = output.flatten(2).mean(2) if output.ndim > 2 else output
                parts.append(pooled.double().cpu().numpy())
        return np.concatenate(parts)
