"""The validators of dicom3tools and pydicom's strict mode, as the tests use them."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset


def dciodvfy_errors(path: Path) -> list[str]:
    """Error lines of dciodvfy for one file (PS3.3 conformance of its IOD)."""
    return _errors("dciodvfy", [path])


def dcentvfy_errors(paths: Iterable[Path]) -> list[str]:
    """Error lines of dcentvfy for the files of one study (agreement between instances)."""
    return _errors("dcentvfy", paths)


def strict_faults(path: Path) -> None:
    """Read and write a file with every value validated; raises at the first bad one."""
    settings = pydicom.config.settings
    before = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = pydicom.config.RAISE
    try:
        ds = pydicom.dcmread(path)
        _touch(ds)
        ds.save_as(io.BytesIO(), enforce_file_format=True)
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = before


def _touch(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                _touch(item)


def _errors(tool: str, paths: Iterable[Path]) -> list[str]:
    program = Path(sys.executable).parent / tool
    run = subprocess.run(
        [program, *map(str, paths)], capture_output=True, text=True, check=False, timeout=120
    )
    lines = (run.stderr + run.stdout).splitlines()
    assert tool != "dciodvfy" or len(lines) > 0, "dciodvfy says at least which IOD it found"
    return [line for line in lines if "Error" in line]
