"""Who is kept out of training: a slip of the pen would let one in whom a model is measured on."""

from __future__ import annotations

from collections.abc import Iterable

from trainers.training.errors import SourceError


def refuse_unknown(named: Iterable[str], known: Iterable[str], wanted: str) -> None:
    """See that each of them is there.

    Args:
        named: the patients whom a person names.
        known: those who are there.
        wanted: what the name should have been, as a sentence begins.

    Raises:
        SourceError: somebody is not.
    """
    if unknown := sorted(set(named) - set(known)):
        raise SourceError(f"{wanted}, got {', '.join(unknown)}. See that the names are right.")


def refuse_shared(train: Iterable[str], validate: Iterable[str]) -> None:
    """See that nobody is trained on and measured.

    Args:
        train: patients of the sources to train on.
        validate: patients of the sources that are only measured.

    Raises:
        SourceError: somebody is in both.
    """
    if both := sorted(set(train) & set(validate)):
        raise SourceError(
            f"A patient is wanted in --train or in --validate, got {', '.join(both)} in both. "
            "Leave them out of one side; give folders of different patients different names."
        )
