"""The demonstration's routes: one for each sample, in the words of `node.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines import catalog


@dataclass(frozen=True)
class DemoRoute:
    """A route and the sample that takes it.

    Attributes:
        sample: folder of `samples/`.
        name: of the route.
        pipeline: to which it leads.
        when: its conditions.
    """

    sample: str
    name: str
    pipeline: str
    when: Mapping[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> dict[str, Any]:
        """As an entry of `routes`."""
        return {
            "name": self.name,
            "pipeline": self.pipeline,
            "when": dict(self.when),
            "send_to": ["pacs"],
        }


ROUTES = (
    DemoRoute(
        "low_dose_chest",
        "low-dose CT",
        "ldct_denoise",
        {"Modality": "CT", "SeriesDescription": {"matches": "(?i)low.?dose"}},
    ),
    DemoRoute(
        "dual_echo_abdomen",
        "abdominal MR in/opposed phase",
        "mr_to_ct",
        {"Modality": "MR", "BodyPartExamined": "ABDOMEN"},
    ),
    DemoRoute(
        "low_energy_mammogram", "contrast mammography, low energy", "cesm_vce", {"Modality": "MG"}
    ),
    DemoRoute(
        "whole_body",
        "whole-body CT",
        "ct_to_pet",
        {"Modality": "CT", "BodyPartExamined": {"matches": "(?i)whole.?body"}},
    ),
)
"""All routes, the first match first."""


def installed_routes() -> tuple[DemoRoute, ...]:
    """The routes whose pipelines are installed."""
    return tuple(route for route in ROUTES if route.pipeline in catalog.names())
