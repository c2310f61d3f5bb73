from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from node.reading.answers import Answer, AnswerLedger
from node.reading.errors import ReadingError
from node.reading.words import Judgement


def answer(case: str = "c1", judgement: Judgement = "real", **fields: object) -> Answer:
    given = {"case": case, "judgement": judgement, "given": datetime.now(UTC), **fields}
    return Answer.model_validate(given)


@pytest.fixture
def ledger(tmp_path: Path) -> AnswerLedger:
    (tmp_path / "answers").mkdir()
    return AnswerLedger(tmp_path / "answers")


def give(ledger: AnswerLedger, *answers: Answer) -> None:
    for each in answers:
        with ledger.lock():
            ledger.give("R1", each)


def test_the_last_answer_counts_and_the_first_is_kept(ledger: AnswerLedger) -> None:
    assert ledger.latest("R1") == {}
    give(ledger, answer(), answer("c2"), answer(judgement="synthetic", reason="Rib\n„ü“ }"))
    assert ledger.latest("R1")["c1"].judgement == "synthetic"
    assert ledger.latest("R1")["c1"].reason == "Rib\n„ü“ }"
    assert [each.judgement for each in ledger.revisions("R1")["c1"]] == ["real", "synthetic"]
    assert ledger.latest("R2") == {}


def test_a_line_cut_short_is_passed_over_and_the_next_one_kept(ledger: AnswerLedger) -> None:
    give(ledger, answer("c1", reason="a } b"), answer("c2", reason="a } b"))
    path = ledger.folder / "R1.jsonl"
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for length in range(second + 1, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert set(ledger.latest("R1")) == {"c1"}
        give(ledger, answer("c3"))
        assert set(ledger.latest("R1")) == {"c1", "c3"}


def test_a_line_that_is_no_answer_is_told(ledger: AnswerLedger) -> None:
    give(ledger, answer())
    path = ledger.folder / "R1.jsonl"
    path.write_bytes(path.read_bytes() + b'{"case": "c2"}\n')
    with pytest.raises(ReadingError, match=r"Line 2 of R1\.jsonl is no answer"):
        ledger.latest("R1")


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from node.reading.answers import Answer, AnswerLedger
ledger = AnswerLedger(Path(sys.argv[1]))
for number in range(3):
    with ledger.lock():
        ledger.give("R1", Answer(case=f"c{number}", judgement="real", given=datetime.now(UTC)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_acknowledged_answer_survives_a_kill(ledger: AnswerLedger) -> None:
    command = [sys.executable, "-c", KILLED, str(ledger.folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(ledger.latest("R1")) == 3


def test_an_answer_is_synced_before_it_is_acknowledged(
    ledger: AnswerLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path.name, path.is_file() and path.read_bytes().count(b"\n")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    give(ledger, answer(), answer("c2"))
    assert synced == [("R1.jsonl", 1), ("answers", False), ("R1.jsonl", 2)]


@pytest.mark.parametrize(
    "fields",
    [{"judgement": "maybe"}, {"reason": "x" * 2001}, {"seconds": -1}, {"seconds": float("nan")}],
)
def test_other_answers_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="|".join(fields)):
        Answer.model_validate({**answer().model_dump(), **fields})
