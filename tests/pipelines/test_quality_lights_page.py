"""The page that tells people the limits of the lights tells those of the program."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines import catalog
from pipelines.ct_to_pet.quality import DISAGREEMENT, MEAN_SUV, SEAM, SMALLEST_BODY_L
from pipelines.ldct_denoise.quality import LIMITS
from pipelines.lights import AMBER, RED
from pipelines.mr_to_ct.quality import FEWEST_AGREEING, FEWEST_SURE, MOST_GUESSED

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (`\w+`.*) \| (.*) \| (.*) \|$", re.MULTILINE)
MR_MODELS = {"In'n'out": "in_n_out", "in-phase": "in_phase", "T1": "t1"}


def written() -> dict[str, tuple[str, str]]:
    """Model, and figure where there is one, to its limits as the page has them."""
    page = (ROOT / "docs" / "quality_lights.md").read_text(encoding="utf-8")
    return {name: (amber, red.strip()) for name, amber, red in ROW.findall(page)}


def calibration(pipeline: str) -> dict[str, Any]:
    path = catalog.folder(pipeline) / "calibration.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def distances() -> dict[str, tuple[str, str]]:
    calibrations = {name: calibration(name) for name in catalog.names()}
    models = calibrations.pop("mr_to_ct")["models"]
    known = {f"`{name}`": values for name, values in calibrations.items()}
    known |= {f"`mr_to_ct` {title}": models[name] for title, name in MR_MODELS.items()}
    return {
        name: (f"{values['amber_distance']:.2f}", f"{values['red_distance']:.2f}")
        for name, values in known.items()
    }


def figures() -> dict[str, tuple[str, str]]:
    found = {}
    for name, limit in LIMITS.items():
        word = "below" if limit.low else "above" if name == "noise_ratio" else "beyond"
        found[f"`ldct_denoise` | `{name}`"] = (f"{word} {limit.amber:g}", f"{word} {limit.red:g}")
    for title, name in MR_MODELS.items():
        values = calibration("mr_to_ct")["models"][name]
        amber, red = values["amber_unsureness_hu"], values["red_unsureness_hu"]
        found[f"`mr_to_ct` {title} | `unsureness_hu`"] = (f"above {amber:.0f}", f"above {red:.0f}")
    breast = calibration("cesm_vce")
    (low, high), (lowest, highest) = MEAN_SUV[AMBER], MEAN_SUV[RED]
    return found | {
        "`mr_to_ct` | `outlines_agree`": (f"below {FEWEST_SURE:g}", f"below {FEWEST_AGREEING:g}"),
        "`mr_to_ct` | `guessed_share`": (f"above {MOST_GUESSED:g}", "never"),
        "`cesm_vce` | `unsureness`": (
            f"above {breast['amber_unsureness']:g}",
            f"above {breast['red_unsureness']:g}",
        ),
        "`ct_to_pet` | `body_l`": ("never", f"below {SMALLEST_BODY_L:g}"),
        "`ct_to_pet` | `mean_suvbw`": (
            f"outside {low:g} to {high:g}",
            f"outside {lowest:g} to {highest:g}",
        ),
        "`ct_to_pet` | `disagreement_share`": (
            f"above {DISAGREEMENT[AMBER]:g}",
            f"above {DISAGREEMENT[RED]:g}",
        ),
        "`ct_to_pet` | `seam_ratio`": (f"above {SEAM[AMBER]:g}", f"above {SEAM[RED]:g}"),
    }


@pytest.mark.parametrize("expected", [distances(), figures()], ids=["distances", "figures"])
def test_the_page_has_every_limit(expected: dict[str, tuple[str, str]]) -> None:
    page = written()
    assert {name: page.get(name) for name in expected} == expected


def test_the_page_has_no_others() -> None:
    assert set(written()) == set(distances()) | set(figures())


@pytest.mark.parametrize("figure", sorted(name.split("`")[-2] for name in figures()))
def test_every_figure_is_explained_on_a_card(figure: str) -> None:
    cards = [catalog.card(name) for name in catalog.names()]
    assert any(figure in card.measurements for card in cards)
