"""Names, cards and digests of the pipelines that are installed. Imports no torch.

A pipeline is a folder of this package that holds a `card.yaml` (docs/add_a_pipeline.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pipelines.card import ModelCard, read_card
from pipelines.errors import CardError, IncompletePipeline, UnknownPipeline, WeightsError

PIPELINES = Path(__file__).parent
"""Folder whose sub-folders are the pipelines."""

PARTS: Mapping[str, Sequence[str]] = {
    "gate": ("gate",),
    "recognition": ("recognise", "KINDS"),
    "pipeline": ("load",),
}
"""The modules that the folder of every pipeline holds beside its card, and what they define."""


def names() -> tuple[str, ...]:
    """Names of all pipelines, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in PIPELINES.glob("*/card.yaml")))


def folder(name: str) -> Path:
    """The folder of a pipeline: network, card, weights.

    Raises:
        UnknownPipeline: no such pipeline; the message names the nearest one.
        IncompletePipeline: it lacks a file.
    """
    known = names()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}."
        raise UnknownPipeline(f"There is no pipeline {name!r}{hint}")
    path = PIPELINES / name
    files = [f"{part}.py" for part in PARTS]
    _refuse_lack(name, [file for file in files if not (path / file).is_file()])
    return path


def module(name: str, part: str) -> ModuleType:
    """A module of a pipeline; only "pipeline" imports torch.

    Args:
        name: of the pipeline.
        part: a key of `PARTS`.

    Raises:
        UnknownPipeline: no such pipeline.
        IncompletePipeline: it lacks a part, or this one cannot be imported.
    """
    path = folder(name) / f"{part}.py"
    try:
        found = import_module(f"pipelines.{name}.{part}")
    except Exception as error:  # boundary: a pipeline is anybody's code
        reason = " ".join(str(error).split())
        raise IncompletePipeline(
            f"pipelines/{name}/{path.name} cannot be imported ({type(error).__name__}: {reason}); "
            "mend it, or install what it needs."
        ) from error
    _refuse_lack(f"{name}/{path.name}", [one for one in PARTS[part] if not hasattr(found, one)])
    return found


def _refuse_lack(of: str, missing: Sequence[str]) -> None:
    if missing:
        raise IncompletePipeline(
            f"pipelines/{of} lacks {', '.join(missing)}: add it, as docs/add_a_pipeline.md says."
        )


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
