from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from node.reading.folder import ReadingFolder
from node.reading.making import MadeReading
from tests.node.reading.patients import patients, reading_of


@dataclass
class Made:
    """A reading of four phantom patients, its key and links."""

    made: MadeReading
    reading: ReadingFolder
    key: Path


@pytest.fixture(scope="session")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real and synthetic series of four phantom patients."""
    folder = tmp_path_factory.mktemp("patients")
    patients(folder)
    return folder


@pytest.fixture
def made(tmp_path: Path, dicom: Path) -> Made:
    root, key = tmp_path / "data" / "readings", tmp_path / "chest-1.key"
    found = reading_of(dicom, root, key)
    return Made(found, ReadingFolder(root / "chest-1"), key)
