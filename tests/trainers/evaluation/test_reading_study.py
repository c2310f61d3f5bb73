from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trainers.evaluation.reading_study import AnswersError, analyse, main, read_study

TAGS = {"rib_asymmetry": "Asymmetric ribs", "texture": "Unnatural texture"}


def answers_file(
    path: Path, table: Sequence[Sequence[int]], readers: int = 8, cases: int = 10, **changes: Any
) -> Path:
    """Answers of `readers` on `cases` real and as many synthetic cases that give this table.

    Args:
        path: written.
        table: [said real, said synthetic] for real and synthetic cases; the rest cannot tell.
        readers: how many.
        cases: of each kind.
        changes: keys of the file to change.
    """
    answers = []
    for truth, (real, synthetic) in zip(("real", "synthetic"), table, strict=True):
        said = ["real"] * real + ["synthetic"] * synthetic
        said += ["cannot_tell"] * (readers * cases - len(said))
        for number, judgement in enumerate(said):
            answers.append(
                {
                    "reader": f"R{number // cases + 1}",
                    "case": f"{truth}-{number % cases}",
                    "judgement": judgement,
                    "tags": ["texture"] if judgement == "synthetic" else [],
                    "reason": "<b>too</b> smooth" if number == 0 else "",
                    "seconds": 10.0 + number % 3,
                }
            )
    tokens = [(truth, n) for truth in ("real", "synthetic") for n in range(cases)]
    given = {
        "format": "vscanner-reading-1",
        "name": path.stem,
        "title": "Survey",
        "modality": "CT",
        "created": "2026-03-01T10:00:00+00:00",
        "opened": "2026-03-02T10:00:00+00:00",
        "key_sha256": "0" * 64,
        "readers": [f"R{n + 1}" for n in range(readers)],
        "tags": TAGS,
        "cases": {f"{t}-{n}": {"truth": t, "series": f"1.2.{n}"} for t, n in tokens},
        "answers": answers,
        **changes,
    }
    path.write_text(json.dumps(given))
    return path


@pytest.mark.parametrize(
    ("table", "p", "accuracies"),
    [  # Tables 2 and 3 of arXiv 2407.10888, from the answers on
        pytest.param([[44, 22], [33, 38]], 0.027, (0.599, 0.667, 0.535), id="survey 2"),
        pytest.param([[32, 22], [24, 30]], 0.178, (0.574, 0.593, 0.556), id="survey 3"),
        pytest.param([[31, 25], [29, 26]], 0.930, (0.514, 0.554, 0.473), id="survey 4"),
    ],
)
def test_published_surveys(
    tmp_path: Path, table: list[list[int]], p: float, accuracies: tuple[float, ...]
) -> None:
    found = analyse(read_study(answers_file(tmp_path / "s.json", table)))
    pooled = found["pooled"]
    assert pooled["independence"]["value"] == pytest.approx(p, abs=5e-4)
    shares = [pooled[name]["value"] for name in ("accuracy", "accuracy_real", "accuracy_synthetic")]
    assert shares == pytest.approx(accuracies, abs=1e-3)
    decided = sum(map(sum, table))
    assert pooled["cannot_tell"]["value"] == pytest.approx(1 - decided / 160)
    assert pooled["accuracy"]["n"] == decided
    assert found["cases"] == {"real": 10, "synthetic": 10}


def test_published_comparison_of_surveys(tmp_path: Path) -> None:
    second = read_study(answers_file(tmp_path / "second.json", [[44, 22], [33, 38]]))
    third = read_study(answers_file(tmp_path / "third.json", [[32, 22], [24, 30]]))
    found = analyse(second, third)["against"]
    assert found["calls"] == [[77, 60], [56, 52]]
    assert found["independence"]["value"] == pytest.approx(0.582, abs=5e-4)


def test_readers_who_know_are_told_from_those_who_guess(tmp_path: Path) -> None:
    knows = analyse(read_study(answers_file(tmp_path / "k.json", [[80, 0], [0, 80]])))
    assert knows["pooled"]["accuracy"]["value"] == 1
    assert knows["knowledge"]["value"] < 0.001
    assert knows["agreement"]["fleiss_kappa"]["value"] == pytest.approx(1)
    assert knows["agreement"]["krippendorff_alpha"]["value"] == pytest.approx(1)
    guesses = analyse(read_study(answers_file(tmp_path / "g.json", [[40, 40], [40, 40]])))
    assert guesses["knowledge"]["value"] > 0.3
    assert guesses["by_reader"]["R1"]["accuracy"]["value"] == 0.5


def test_what_has_no_meaning_has_a_reason_instead_of_a_number(tmp_path: Path) -> None:
    one = analyse(read_study(answers_file(tmp_path / "one.json", [[10, 0], [10, 0]], readers=1)))
    assert one["pooled"]["independence"]["value"] is None
    assert "no empty row or column" in one["pooled"]["independence"]["why"]
    assert one["agreement"]["fleiss_kappa"]["value"] is None
    none = analyse(read_study(answers_file(tmp_path / "none.json", [[0, 0], [0, 0]], answers=[])))
    assert none["pooled"]["accuracy"]["value"] is None
    assert none["pooled"]["median_seconds"] is None


def test_the_command_writes_one_self_contained_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = answers_file(tmp_path / "answers.json", [[44, 22], [33, 38]])
    other = answers_file(tmp_path / "other.json", [[32, 22], [24, 30]])
    out = tmp_path / "report"
    assert main([str(path), "--out", str(out), "--against", str(other)]) == 0
    assert "accuracy 59.9 %" in capsys.readouterr().out
    figures = json.loads((out / "reading.json").read_text())
    assert [row["tag"] for row in figures["tags"]] == ["texture", "rib_asymmetry"]
    assert figures["tags"][0]["real"] == 22
    assert figures["by_case"][0]["wrong"] == max(row["wrong"] for row in figures["by_case"])
    page = (out / "reading.html").read_text()
    assert "59.9 %" in page
    assert "0.027" in page
    assert "&lt;b&gt;too&lt;/b&gt; smooth" in page
    assert "<b>too" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_every_report_can_be_written(tmp_path: Path) -> None:
    empty = answers_file(tmp_path / "empty.json", [[1, 0], [0, 0]], answers=[])
    usual = answers_file(tmp_path / "usual.json", [[1, 0], [0, 0]])
    for path in (empty, usual):
        assert main([str(path), "--out", str(tmp_path / path.stem)]) == 0


@pytest.mark.parametrize("changes", [{"opened": None}, {"format": "other"}])
def test_unopened_readings_are_refused(
    tmp_path: Path, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = answers_file(tmp_path / "a.json", [[1, 1], [1, 1]], **changes)
    with pytest.raises(AnswersError, match="opened key are wanted"):
        read_study(path)
    assert main([str(path), "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "opened key are wanted" in shown
