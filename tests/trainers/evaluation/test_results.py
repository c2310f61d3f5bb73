from __future__ import annotations

import json
import math
from pathlib import Path

from tests.trainers.evaluation.test_agreement import pair
from tests.trainers.evaluation.test_summary import row
from trainers.evaluation.results import Results, read_results


def test_figures_come_back_as_they_were_written(tmp_path: Path) -> None:
    kept = Results({"pipeline": "toy"}, [row("A", 3.5)], [pair("A", 1, 2)])
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(kept.to_json()))
    assert read_results(path) == kept


def test_what_is_no_number_comes_back_as_none(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(Results({}, [row("A", math.inf)]).to_json()))
    assert "Infinity" not in path.read_text()
    assert math.isnan(read_results(path).rows[0].measurement.value)
