"""Names, cards and digests of the pipelines that are installed. Imports no torch.

A pipeline is a folder of this package that holds a `card.yaml` (docs/add_a_pipeline.md).
"""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pipelines.card import ModelCard, read_card
from pipelines.errors import CardError, IncompletePipeline, UnknownPipeline, WeightsError

PIPELINES = Path(__file__).parent
"""Folder whose sub-folders are the pipelines."""

PARTS = ("gate.py", "recognition.py", "pipeline.py")
"""What the folder of every pipeline holds beside its card."""


def names() -> tuple[str, ...]:
    """Names of all pipelines, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in PIPELINES.glob("*/card.yaml")))


def folder(name: str) -> Path:
    """The folder of a pipeline: network, card, weights.

    Raises:
        UnknownPipeline: no such pipeline; the message names the nearest one.
        IncompletePipeline: it lacks a part.
    """
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}."
        raise UnknownPipeline(f"There is no pipeline {name!r}{hint}")
    path = PIPELINES / name
    missing = [part for part in PARTS if not (path / part).is_file()]
    if missing:
        raise IncompletePipeline(
            f"A pipeline has {', '.join(PARTS)}; pipelines/{name} lacks {', '.join(missing)}: "
            "add it, as docs/add_a_pipeline.md says."
        )
    return path


@cache
def card(name: str) -> ModelCard:
    """The model card of a pipeline.

    Raises:
        CardError: it is not a card, or that of another pipeline.
    """
    found = read_card(folder(name) / "card.yaml")
    if found.name != name:
        raise CardError(f"The card of pipelines/{name} should have that name, got {found.name!r}.")
    return found


def weights_path(name: str) -> Path:
    """Where the weights of a pipeline lie."""
    return folder(name) / card(name).weights.file


def verify(name: str) -> str:
    """Hold the weights against the digest on the card.

    Returns:
        The SHA-256 digest, in hexadecimal digits.

    Raises:
        WeightsError: the file is absent or is another one.
    """
    return verified_weights(weights_path(name), card(name).weights.sha256)[0]


def verified_weights(path: Path, sha256: str) -> tuple[str, bytes]:
    """Read a file of weights once, and hand it out only if its digest is the pinned one.

    Returns:
        The digest and the bytes that have it.

    Raises:
        WeightsError: the file is absent or is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"The weights {path.name} cannot be read ({error.strerror}); install the model again."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise WeightsError(
            f"The weights {path.name} should have SHA-256 {sha256}, got {digest}; "
            "they are not loaded: install the model again."
        )
    return digest, content
