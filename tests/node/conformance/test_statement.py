from __future__ import annotations

import re
from pathlib import Path

import pytest

from dicom_profiles.storage import STORAGE_CLASSES, TRANSFER_SYNTAXES
from node.config import Config
from node.config_file import parse_config
from node.conformance.objects import COPIED, FIXED, MADE, AttributeRow, created_objects
from node.conformance.statement import conformance_statement

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def objects() -> dict[str, list[AttributeRow]]:
    return created_objects()


def test_the_committed_page_is_the_generated_one() -> None:
    committed = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    generated = conformance_statement(Config())
    assert committed == generated, "run: vscanner conformance > docs/conformance.md"


def test_it_speaks_of_this_very_configuration() -> None:
    config = parse_config((ROOT / "node.example.yaml").read_text(encoding="utf-8"))
    text = conformance_statement(config.model_copy(update={"web": config.web}))
    assert "| pacs | ORTHANC | 127.0.0.1:4242 | yes | c-store | yes | yes |" in text
    assert "| low-dose chest | ldct_denoise |" in text


def test_every_class_and_transfer_syntax_is_named() -> None:
    text = conformance_statement(Config())
    for uid in [*STORAGE_CLASSES, *(row.uid for row in TRANSFER_SYNTAXES)]:
        assert f"`{uid}`" in text
    assert all(f"## {number}. " in text for number in range(1, 13))


def test_tables_are_whole() -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", conformance_statement(Config()), re.M):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1, block


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("Synthetic Data", FIXED),
        ("Patient's Name", COPIED),
        ("Image Position (Patient)", COPIED),
        ("KVP", COPIED),
        ("Study Instance UID", COPIED),
        ("Series Instance UID", MADE),
        ("SOP Instance UID", MADE),
        ("Pixel Data", MADE),
        ("Manufacturer", FIXED),
        ("Image Type", FIXED),
    ],
)
def test_the_origin_of_attributes(
    objects: dict[str, list[AttributeRow]], name: str, origin: str
) -> None:
    table = objects["Low-dose CT denoising: CT Image"]
    (row,) = [row for row in table if row.name == name and row.depth == 0]
    assert row.origin == origin


def test_no_value_of_a_source_is_shown(objects: dict[str, list[AttributeRow]]) -> None:
    for table in objects.values():
        for row in table:
            assert row.origin == FIXED or not row.value
            assert "Phantom^" not in row.value
