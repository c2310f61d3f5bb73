from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.reading.answers import Answer
from node.reading.errors import ReadingClosed, ReadingError, UnknownReading, WrongKey
from node.reading.folder import ReadingFolder, all_readings, find_reading
from tests.node.reading.conftest import Made


def judge_all(reading: ReadingFolder, *aliases: str) -> None:
    for alias in aliases:
        for case in reading.study.cases:
            reading.give(alias, Answer(case=case, judgement="real", given=datetime.now(UTC)))


def test_the_key_stays_closed_until_all_have_judged(made: Made) -> None:
    judge_all(made.reading, "R1")
    assert made.reading.unanswered() == {"R1": 0, "R2": 4}
    with pytest.raises(ReadingError, match=r"1 of 2 readers have not finished \(R2: 4 left\)"):
        made.reading.open_with(made.key)
    assert made.reading.opened is None


def test_the_key_opens_once_all_have_judged_and_closes_the_reading(made: Made) -> None:
    judge_all(made.reading, "R1", "R2")
    opened = made.reading.open_with(made.key)
    assert made.reading.opened == opened
    assert made.reading.open_with(made.key) == opened
    with pytest.raises(ReadingClosed, match="closed"):
        judge_all(made.reading, "R1")


def test_an_unfinished_reading_opens_when_said(made: Made) -> None:
    assert made.reading.open_with(made.key, unfinished=True).key.counts()["real"] == 2


def test_a_wrong_key_opens_nothing(made: Made, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(made.key.read_bytes()[:-1])
    with pytest.raises(WrongKey):
        made.reading.open_with(wrong, unfinished=True)
    assert made.reading.opened is None


def test_pixels_changed_after_the_start_are_noticed(made: Made) -> None:
    case = made.reading.folder / "cases" / made.reading.study.cases[2]
    data = bytearray(case.read_bytes())
    data[7] ^= 1
    case.write_bytes(data)
    with pytest.raises(ReadingError, match="changed after the reading was made"):
        made.reading.open_with(made.key, unfinished=True)


def test_only_reasons_of_the_list_can_be_ticked(made: Made) -> None:
    case = made.reading.study.cases[0]
    fields = {"case": case, "judgement": "real", "given": datetime.now(UTC)}
    made.reading.give("R1", Answer.model_validate({**fields, "tags": ["rib_asymmetry"]}))
    with pytest.raises(ReadingError, match="cannot be ticked"):
        made.reading.give("R1", Answer.model_validate({**fields, "tags": ["other"]}))


def test_slices_that_are_not_there(made: Made) -> None:
    case = made.reading.study.cases[0]
    for token, number in ((case, 0), (case, 7), ("../study.json", 1)):
        with pytest.raises(UnknownReading):
            made.reading.slice_pixels(token, number)


def test_readings_are_found_by_their_name_only(made: Made) -> None:
    data_dir = made.reading.folder.parents[1]
    assert find_reading(data_dir, "chest-1").study == made.reading.study
    assert [each.study.name for each in all_readings(data_dir)] == ["chest-1"]
    assert all_readings(data_dir / "elsewhere") == []
    for name in ("chest-2", "..", "../readings/chest-1", "CHEST-1", "chest-1\n"):
        with pytest.raises(UnknownReading):
            find_reading(data_dir, name)


def test_only_whole_readings_are_listed_by_name(made: Made) -> None:
    root = made.reading.folder.parent
    for name in (".chest-2.part", "Chest-2", "chest-2\n", "chest-3", "chest-0"):
        shutil.copytree(made.reading.folder, root / name)
    (root / "chest-3" / "study.json").unlink()
    assert [each.folder.name for each in all_readings(root.parent)] == ["chest-0", "chest-1"]


def test_a_reading_of_another_version_is_a_sentence(made: Made) -> None:
    path = made.reading.folder / "study.json"
    path.write_text(path.read_text().replace('"question"', '"asked"'))
    with pytest.raises(ReadingError, match=r"study.json is no reading of this version"):
        ReadingFolder(made.reading.folder)
