"""The answers of the readers: a line of JSON each, synced before it is acknowledged.

One file a reader, only ever appended to: every revision is kept, the last one counts. A line that
a crash cut short was never acknowledged and is passed over.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from dicom_profiles.encoding.part10 import sync_folder
from node.reading.errors import ReadingError
from node.reading.study import Record
from node.reading.words import LONGEST_REASON, Judgement

log = logging.getLogger(__name__)

LONGEST_LOOK_S = 86_400.0


class Answer(Record):
    """What a reader said of a case.

    Attributes:
        case: token of the case.
        judgement: real, synthetic or cannot tell.
        tags: reasons that were ticked.
        reason: in the reader's own words.
        seconds: how long the case was looked at before this answer, as the browser counted.
        given: when.
    """

    case: str
    judgement: Judgement
    tags: tuple[str, ...] = ()
    reason: str = Field("", max_length=LONGEST_REASON)
    seconds: float = Field(0.0, ge=0, le=LONGEST_LOOK_S, allow_inf_nan=False)
    given: datetime


class AnswerLedger:
    """The answers of one reading.

    Args:
        folder: of the answers, made with the reading.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def give(self, alias: str, answer: Answer) -> None:
        """Keep an answer; on return it is on the disk. Call it under `lock`."""
        path = self.folder / f"{alias}.jsonl"
        is_new = not path.exists()
        line = answer.model_dump_json().encode() + b"\n"
        with path.open("ab+") as file:
            if _is_cut_short(file.fileno()):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.folder)
        facts = {"action": "reading_answer_kept", "reader": alias}
        log.info("A reader's answer is kept", extra=facts)

    def revisions(self, alias: str) -> dict[str, list[Answer]]:
        """Every answer of a reader, by case, the first one first."""
        found: dict[str, list[Answer]] = {}
        for answer in self._lines(alias):
            found.setdefault(answer.case, []).append(answer)
        return found

    def latest(self, alias: str) -> dict[str, Answer]:
        """The answer of a reader that counts, by case."""
        return {case: answers[-1] for case, answers in self.revisions(alias).items()}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep answers and the opening of the key apart, in all processes of this machine."""
        with (self.folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _lines(self, alias: str) -> Iterator[Answer]:
        path = self.folder / f"{alias}.jsonl"
        if not path.exists():
            return
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line or _is_no_json(line):
                continue  # cut short by a crash: the beginning of an object is never JSON
            try:
                yield Answer.model_validate_json(line)
            except ValidationError as error:
                sentence = f"Line {number} of {path.name} is no answer; restore it from a copy."
                raise ReadingError(sentence) from error


def _is_no_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _is_cut_short(descriptor: int) -> bool:
    """Whether a file ends within a line."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
