from __future__ import annotations

from pathlib import Path

from node.steps.gate import gate_step
from tests.node.steps.phantom_job import job_folder


def test_ungated_skips_the_gate(tmp_path: Path) -> None:
    assert not gate_step(job_folder(tmp_path / "a", slices=2)).accepted
    assert gate_step(job_folder(tmp_path / "b", slices=2, ungated=True)).accepted
