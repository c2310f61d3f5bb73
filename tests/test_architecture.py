"""The layers hold: each package imports only from those below it, and the names are ours."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = {  # package: the project's packages that it may import
    "dicom_profiles": set(),
    "pipelines": {"dicom_profiles"},
    "node": {"dicom_profiles", "pipelines"},
    "trainers": {"dicom_profiles", "pipelines"},
}
WITHOUT_TORCH = ("node.receiver", "node.assembler", "node.web.app", "node.__main__")


def imported_packages(path: Path) -> set[str]:
    """Top-level names that a module imports, anywhere in it."""
    names: set[str] = set()
    for item in ast.walk(ast.parse(path.read_text())):
        if isinstance(item, ast.Import):
            names |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom) and item.level == 0:
            names.add((item.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", LAYERS)
def test_imports_point_downwards(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        above = imported_packages(path) & set(LAYERS) - LAYERS[package] - {package}
        assert not above, f"{path.relative_to(ROOT)} imports {sorted(above)}"


@pytest.mark.parametrize("package", LAYERS)
def test_import_name_is_ours(package: str) -> None:
    owners = set(packages_distributions().get(package, [])) - {"virtual-scanner"}
    assert not owners, f"{package!r} is also installed by {owners}"


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_starts_without_torch(module: str) -> None:
    code = f"import {module}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_only_absolute_imports() -> None:
    for package in LAYERS:
        for path in (ROOT / package).rglob("*.py"):
            relative = [
                item
                for item in ast.walk(ast.parse(path.read_text()))
                if isinstance(item, ast.ImportFrom) and item.level > 0
            ]
            assert not relative, f"{path.relative_to(ROOT)} has a relative import"


@pytest.mark.parametrize("package", [*LAYERS, "demo", "benchmarks"])
def test_packages_open_with_a_map(package: str) -> None:
    """Whoever opens a folder reads first what each of its files is for."""
    for init in (ROOT / package).rglob("__init__.py"):
        words = set(re.findall(r"\w+", ast.get_docstring(ast.parse(init.read_text())) or ""))
        modules = {path.stem for path in init.parent.glob("*.py")}
        folders = {path.parent.name for path in init.parent.glob("*/__init__.py")}
        missing = (modules | folders) - words - {"__init__", "__main__"}
        assert not missing, f"the map of {init.parent.relative_to(ROOT)} lacks {sorted(missing)}"
