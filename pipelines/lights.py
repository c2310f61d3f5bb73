"""The traffic light of a quality record; every light that is not green comes with its sentence.

GREEN: nothing unusual. AMBER: look before use. RED: the node holds the result for a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

GREEN, AMBER, RED = "GREEN", "AMBER", "RED"

Finding: TypeAlias = tuple[str, str]
"""A light that is not green, and its sentence."""

NO_NUMBERS: Finding = (RED, "The result holds values that are no numbers.")


def told(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures as a quality record tells them: to four decimals, without what is no number."""
    return {name: round(value, 4) for name, value in figures.items() if math.isfinite(value)}


def light_of(value: float, amber: float, red: float) -> str:
    """The light of a figure that should not be above these limits."""
    return RED if value > red else AMBER if value > amber else GREEN


def unfamiliar(
    distance: float, amber: float, red: float, these: str = "The images are"
) -> list[Finding]:
    """What is to be said of an input that lies so far from those that the model knows."""
    light = light_of(distance, amber, red)
    if light == GREEN:
        return []
    how = "unlike" if light == RED else "unusual beside"
    sentence = (
        f"{these} {how} those that the model knows (distance {distance:.1f}; usual is up to "
        f"{amber:.1f})."
    )
    return [(light, sentence)]


def verdict_of(findings: Iterable[Finding]) -> tuple[str, tuple[str, ...]]:
    """The worst light, and all sentences, those of red ones first."""
    ordered = sorted(findings, key=lambda finding: finding[0] != RED)
    return (ordered[0][0] if ordered else GREEN), tuple(sentence for _, sentence in ordered)
