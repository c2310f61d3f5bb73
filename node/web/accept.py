"""Which media type a client gets: its Accept header against what we have (RFC 9110 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from node.web.multipart import parse_content_type

ANY = "*/*"
MOST_RANGES = 50
"""Further ones are not looked at: browsers name a handful, a header has room for ten thousand."""


def chosen_type(accept: str, offered: Sequence[str]) -> str | None:
    """The media type that the client wants most of those offered, None when it wants none.

    Args:
        accept: the header's value; empty when there was none, which accepts anything.
        offered: what we have, the one that we would rather give first.
    """
    named = [part for part in accept.split(",") if part.strip()]
    ranges = [_range(part) for part in named[:MOST_RANGES]] or [(ANY, 1.0)]
    weights = [_weight(kind, ranges) for kind in offered]
    best = max(weights, default=0.0)
    return offered[weights.index(best)] if best > 0 else None


def _range(part: str) -> tuple[str, float]:
    """A media range and its weight; parameters but `q` do not tell our types apart."""
    kind, parameters = parse_content_type(part.strip())
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    return kind, min(max(weight, 0.0), 1.0)


def _weight(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight that the most specific range gives to a type; 0 when no range has it."""
    family = kind.partition("/")[0] + "/*"
    for wanted in (kind, family, ANY):
        found = [weight for name, weight in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
