"""How images are shown, by their modality: windows, pictures side by side. Tables; pure.

A job's pictures follow from what went in and what came out: a difference only where both are in
the same unit, a fusion where a PET lies on a CT, else source and result side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.web.rendering import WINDOWS, Window

OWN = Window("own", "The image's own", 0.0, 0.0)
"""Stands for the window of images without a scale, MR and mammograms: the one that fits a source,
the one that a result names."""

SUV_WINDOWS = {
    window.name: window
    for window in (
        Window("suv7", "SUV 0 to 7", 3.5, 7.0),
        Window("suv10", "SUV 0 to 10", 5.0, 10.0),
        Window("suv15", "SUV 0 to 15", 7.5, 15.0),
    )
}
WINDOWS_OF: Mapping[str, Mapping[str, Window]] = {"CT": WINDOWS, "PT": SUV_WINDOWS}
"""Modality (0008,0060) to its windows, the usual first; others have their own."""

INVERTED = frozenset({"PT"})
"""Modalities shown black on white: uptake is dark."""

DIFFERENCE = (("CT", "CT"),)
"""(source, result) whose values have the same unit."""
FUSION = (("CT", "PT"),)
"""(source, result) that are shown one over the other as well."""
PROJECTED = frozenset({"PT"})
"""Modalities whose readers look at the whole body first."""


@dataclass(frozen=True)
class Panel:
    """One picture of the viewer.

    Attributes:
        kind: in its address: `before`, `before-OOP`, `after`, `difference`, `fusion`.
        caption: above it.
        alt: for people who do not see it.
    """

    kind: str
    caption: str
    alt: str


BEFORE = Panel("before", "Before: as received", "Source slice as received")
AFTER = Panel("after", "After: SYNTHETIC", "The same slice of the synthetic series")
DIFFERENCE_PANEL = Panel(
    "difference", "Difference: after − before", "What the model changed, in colours"
)
FUSION_PANEL = Panel(
    "fusion", "Fusion: SYNTHETIC over source", "The synthetic PET in colours over the source CT"
)


def windows_of(modality: str) -> Mapping[str, Window]:
    """The windows of a modality by name, the usual first."""
    return WINDOWS_OF.get(modality, {OWN.name: OWN})


def offered(source: str, result: str) -> Mapping[str, Window]:
    """The windows that a viewer offers: of the result, or of the source where only that has any.

    Args:
        source: modality of the source.
        result: modality of the result, "" while there is none.
    """
    return windows_of(source if result not in WINDOWS_OF else result)


def fitting(window: Window, modality: str) -> Window:
    """The window as asked for where it is one of this modality, else the modality's usual one."""
    known = windows_of(modality)
    return known.get(window.name) or next(iter(known.values()))


def panels(sources: Mapping[str, str], result: str) -> tuple[Panel, ...]:
    """The pictures of a job.

    Args:
        sources: input key to modality, the one that gives the grid first.
        result: modality of the result, "" while there is none.
    """
    keys = list(sources)
    shown = [
        Panel(f"before-{key}" if place else "before", f"{BEFORE.caption} ({key})", BEFORE.alt)
        for place, key in enumerate(keys)
    ]
    if len(keys) == 1:
        shown = [BEFORE]
    if not result:
        return tuple(shown)
    pair = (next(iter(sources.values()), ""), result)
    further = [DIFFERENCE_PANEL] if pair in DIFFERENCE else []
    further += [FUSION_PANEL] if pair in FUSION else []
    return (*shown, AFTER, *further)
