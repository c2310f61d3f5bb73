"""Patients whom a person names to be kept out of training: a slip of the pen would let one in."""

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
