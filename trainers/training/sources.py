"""The numbers in the name of a training source: how often it is drawn, how many are simulated."""

from __future__ import annotations

import math

from trainers.training.errors import SourceError


def weight_of(text: str, source: str, example: str) -> float:
    """How often a source is drawn beside the others; 1 where its name says nothing.

    Args:
        text: the part of the source's name that should be a number; empty where there is none.
        source: the whole of it, for the sentence.
        example: how it is written, for the sentence.

    Raises:
        SourceError: it is no number above 0.
    """
    try:
        weight = float(text or 1)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise SourceError(f"A weight is a number above 0, as in {example}; got {source!r}.")
    return weight


def count_of(text: str, source: str, example: str, least: int = 1) -> int:
    """How many of something are simulated, or with which number they begin.

    Args:
        text: the part of the source's name that should be a number.
        source: the whole of it, for the sentence.
        example: how it is written, for the sentence.
        least: the smallest that makes sense.

    Raises:
        SourceError: it is no whole number, or too small.
    """
    if not text.isdecimal() or int(text) < least:
        raise SourceError(
            f"A whole number of {least} or more is wanted, as in {example}; got {source!r}."
        )
    return int(text)
