"""The model card of weights that were just trained: on what, by digests and counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import yaml

from dicom_profiles.deidentification.data_set import read_data_set
from pipelines import catalog
from pipelines.card import Dataset, ModelCard

CARD = "card.yaml"
OWN_LICENCE = "the site's own, not to be passed on"
USED_FOR = {"train": "training", "validation": "validation"}


def write_card(
    pipeline: str, out: Path, weights: Path, data: Sequence[Path], start: Path | None
) -> Path:
    """Write a card for weights trained on gathered data sets, from the served model's card.

    Figures of the served weights are taken out, since these were not measured yet; `vscanner
    evaluate NAME --card` puts new ones in.

    Args:
        pipeline: its name.
        out: folder of the run; gets `card.yaml`.
        weights: the file that the card pins.
        data: folders of the data sets.
        start: weights that the training began with.
    """
    served = catalog.card(pipeline)
    before = _before(served, start)
    trained_on = (*before, *(entry for folder in data for entry in entries_of(folder)))
    card = served.model_copy(
        update={
            "version": next_version(served.version),
            "weights": served.weights.model_copy(update={"sha256": sha256(weights)}),
            "training": served.training.model_copy(update={"trained_on": trained_on}),
            "evaluation": (),
        }
    )
    values = card.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (out / CARD).write_text(text, encoding="utf-8")
    return out / CARD


def entries_of(folder: Path) -> list[Dataset]:
    """What a card says about a gathered data set: counts and a digest, nobody's name."""
    data_set = read_data_set(folder)
    return [
        Dataset(
            name=f"Own archive: {counts['patients']} patients, {counts['series']} series, "
            f"{counts['instances']} images",
            licence=OWN_LICENCE,
            citation=f"data set with SHA-256 {data_set.sha256}; {data_set.deidentification}",
            used_for=USED_FOR[split],
        )
        for split, counts in data_set.counts().items()
        if split in USED_FOR
    ]


def sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def next_version(version: str) -> str:
    """The version after this one: other weights are another version."""
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def _before(served: ModelCard, start: Path | None) -> tuple[Dataset, ...]:
    """What the weights that a training began with had seen."""
    if start is None:
        return ()
    digest = sha256(start)
    if digest == served.weights.sha256:
        return served.training.trained_on
    unknown = f"weights with SHA-256 {digest}"
    return (Dataset(name="Unknown", licence="unknown", citation=unknown, used_for="warm start"),)
