from __future__ import annotations

from pathlib import Path

from node.steps.check import check_step
from node.steps.translate import translate_step
from node.steps.write import write_step
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder


def test_damage_is_found(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    translate_step(job, Smoothing())
    (path, *_), *_ = (series.paths for series in write_step(job))
    path.write_bytes(path.read_bytes().replace(b"SYNTHETIC", b"ACQUIRED!"))
    findings = check_step(job)
    assert findings
    assert findings[0].startswith(path.name)
