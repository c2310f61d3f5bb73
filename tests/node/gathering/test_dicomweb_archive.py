"""What only odd archives do; a real one is asked in `test_gather.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from node.config import Config
from node.gathering.archive import Question, SeriesSummary
from node.gathering.dicomweb_archive import DicomWebArchive
from node.gathering.errors import ArchiveError
from tests.node.dispatch.http_archive import http_archive

SERIES = SeriesSummary("1.2", "1.2.3", Dataset())


def rows(keyword: str, *uids: str) -> bytes:
    """A body of QIDO-RS; "" for a row that lacks what it should have."""
    found = []
    for uid in uids:
        ds = Dataset()
        if uid:
            setattr(ds, keyword, uid)
        found.append(ds.to_json_dict())
    return json.dumps(found).encode()


def studies(pages: Sequence[Sequence[str]], **question: Any) -> tuple[list[str], int]:
    """What is found in an archive that answers so, and how often it was asked; then nothing."""
    bodies = [rows("StudyInstanceUID", *page) for page in pages]
    with http_archive(lambda n: (200, bodies[n]) if n < len(bodies) else (204, b"")) as archive:
        asked = DicomWebArchive(archive.peer("stow-rs"), Config())
        found = list(asked.studies(Question(**question)))
        return found, len(archive.bodies)


@pytest.mark.parametrize(
    ("pages", "wanted", "requests"),
    [
        ([], [], 1),
        ([["1.1", "1.2"], ["1.3"]], ["1.1", "1.2", "1.3"], 3),  # gives fewer than asked for
        ([["1.1", "1.2"]] * 9, ["1.1", "1.2"], 2),  # ignores `offset`
        ([["1.1", "1.2"], ["1.2", "1.3"]], ["1.1", "1.2", "1.3"], 3),  # one came meanwhile
        ([["1.1", "", "1.1"]], ["1.1"], 2),
    ],
)
def test_every_study_is_found_once(
    pages: Sequence[Sequence[str]], wanted: list[str], requests: int
) -> None:
    assert studies(pages) == (wanted, requests)


def test_studies_of_several_modalities_are_found_on_every_page() -> None:
    pages = [["1.1"], [], ["1.1"], ["1.2"]]  # the second modality's first page is known already
    assert studies(pages, modalities=("CT", "MR")) == (["1.1", "1.2"], 5)


def test_a_series_without_its_uid_is_passed_over() -> None:
    body = rows("SeriesInstanceUID", "1.2.3", "")
    with http_archive(lambda _: (200, body)) as archive:
        found = DicomWebArchive(archive.peer("stow-rs"), Config()).series("1.2")
    assert [one.series_instance_uid for one in found] == ["1.2.3"]


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, b"[1]"), (200, b"3"), (503, b"[]")])
def test_an_answer_that_is_none_is_a_sentence(answer: tuple[int, bytes], tmp_path: Path) -> None:
    with http_archive(lambda _: answer) as archive:
        asked = DicomWebArchive(archive.peer("stow-rs"), Config())
        with pytest.raises(ArchiveError, match="pacs"):
            list(asked.studies(Question()))
        with pytest.raises(ArchiveError, match="pacs"):
            asked.fetch(SERIES, tmp_path)
    assert list(tmp_path.iterdir()) == []
