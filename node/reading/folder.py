"""The folder of one reading, below `data_dir/readings`.

study.json       what everybody may know
cases/<token>    16-bit pixels, (slices, rows, columns), little-endian; all of one size
answers/         one file a reader
opened.json      the key, once it was opened: no answer is taken from then on
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from dicom_profiles.encoding.part10 import write_durable
from node.reading.answers import Answer, AnswerLedger
from node.reading.errors import ReadingClosed, ReadingError, UnknownReading
from node.reading.key import Key, open_key
from node.reading.study import NAME_PATTERN, Record, Study

READINGS = "readings"
CASES, ANSWERS = "cases", "answers"
STUDY, OPENED = "study.json", "opened.json"
BYTES_A_PIXEL = 2


class Opened(Record):
    """That the key was opened, and what it says."""

    opened: datetime
    key: Key


class ReadingFolder:
    """One reading.

    Args:
        folder: made by `node.reading.making`.

    Raises:
        ReadingError: its public file is none of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = _study(folder / STUDY)
        self.answers = AnswerLedger(folder / ANSWERS)

    @property
    def opened(self) -> Opened | None:
        """The key, once it was opened."""
        path = self.folder / OPENED
        return Opened.model_validate_json(path.read_bytes()) if path.exists() else None

    def slice_pixels(self, case: str, number: int) -> bytes:
        """One slice of a case, counted from 1: (rows, columns) uint16, little-endian.

        Raises:
            UnknownReading: there is no such slice.
        """
        count, rows, columns = self.study.shape
        if case not in self.study.cases or not 1 <= number <= count:
            raise UnknownReading(f"A case has slices 1 to {count}, got {number}.")
        size = rows * columns * BYTES_A_PIXEL
        with (self.folder / CASES / case).open("rb") as file:
            file.seek((number - 1) * size)
            return file.read(size)

    def give(self, alias: str, answer: Answer) -> None:
        """Keep an answer, unless the key was opened.

        Raises:
            ReadingClosed: it was.
            ReadingError: a reason that cannot be ticked.
        """
        unknown = set(answer.tags) - set(self.study.tags)
        if unknown:
            raise ReadingError(f"{len(unknown)} of the reasons cannot be ticked in this reading.")
        with self.answers.lock():
            if (self.folder / OPENED).exists():
                raise ReadingClosed
            self.answers.give(alias, answer)

    def unanswered(self) -> dict[str, int]:
        """How many cases each reader has still to judge."""
        total = len(self.study.cases)
        return {r.alias: total - len(self.answers.latest(r.alias)) for r in self.study.readers}

    def open_with(self, key_path: Path, *, unfinished: bool = False) -> Opened:
        """Open the key and close the reading; the same again where it was opened before.

        Args:
            key_path: the key file.
            unfinished: close it although readers have not judged every case.

        Raises:
            WrongKey: not the key that was committed to.
            ReadingError: readers have not finished.
        """
        key = open_key(key_path, self.study)
        with self.answers.lock():
            before = self.opened
            if before is not None:
                return before
            left = {alias: count for alias, count in self.unanswered().items() if count}
            if left and not unfinished:
                raise ReadingError(
                    f"{len(left)} of {len(self.study.readers)} readers have not finished ("
                    + ", ".join(f"{alias}: {count} left" for alias, count in left.items())
                    + "). Opening the key ends the reading for good; wait, or say --unfinished."
                )
            self._refuse_changed_pixels(key)
            opened = Opened(opened=datetime.now(UTC), key=key)
            write_durable(self.folder / OPENED, opened.model_dump_json(indent=1).encode())
            return opened

    def _refuse_changed_pixels(self, key: Key) -> None:
        for token, case in key.cases.items():
            pixels = (self.folder / CASES / token).read_bytes()
            if hashlib.sha256(pixels).hexdigest() != case.pixels_sha256:
                raise ReadingError(
                    "The pixels of a case are not those that the key was made for; they were "
                    "changed after the reading was made, so its answers mean nothing."
                )


def _study(path: Path) -> Study:
    try:
        return Study.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ReadingError(
            f"{path} is no reading of this version: it was changed, or made by another version."
        ) from error


def find_reading(data_dir: Path, name: str) -> ReadingFolder:
    """The reading of that name.

    Raises:
        UnknownReading: there is none.
    """
    folder = data_dir / READINGS / name
    if not re.fullmatch(NAME_PATTERN, name) or not (folder / STUDY).is_file():
        raise UnknownReading(
            "There is no such reading here; see that its name, or the whole link, is right."
        )
    return ReadingFolder(folder)


def all_readings(data_dir: Path) -> list[ReadingFolder]:
    """Every reading of a node, by name."""
    root = data_dir / READINGS
    found = sorted(root.iterdir()) if root.is_dir() else []
    return [ReadingFolder(path) for path in found if (path / STUDY).is_file() and _named(path)]


def _named(path: Path) -> bool:
    return re.fullmatch(NAME_PATTERN, path.name) is not None
