"""The packages' maps and the documentation name every module; light modules stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "metrics_and_losses.md").read_text(encoding="utf-8")
PLUMBING = {
    "__init__",
    "features",
    "radiomics",
    "measurement",
    "soft_glcm",
    "texture_aggregation",
    "legacy_texture",
    "filter_bank",
    "gradient_penalty",
}
"""Modules that the page explains in prose, without a row of their own."""


@pytest.mark.parametrize("package", ["losses", "metrics"])
def test_every_module_is_on_the_map_and_on_the_page(package: str) -> None:
    folder = ROOT / "trainers" / package
    modules = {path.stem for path in folder.glob("*.py")}
    listed = (folder / "__init__.py").read_text(encoding="utf-8")
    assert {name for name in modules - {"__init__"} if f"\n    {name} " not in listed} == set()
    assert {name for name in modules - PLUMBING if f"| `{name}` |" not in PAGE} == set()


def test_simple_metrics_do_not_load_torch() -> None:
    names = (
        "measurement",
        "intensity",
        "histogram",
        "uptake",
        "synthrad",
        "similarity",
        "spectrum",
    )
    modules = [f"trainers.metrics.{name}" for name in names]
    code = f"import sys, {', '.join(modules)}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
