from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.steps.check import check_step
from node.steps.folder import JobFolder, StepError, write_json
from node.steps.translate import translate_step
from node.steps.write import write_step
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder


def test_write_and_check_are_repeatable(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    with pytest.raises(StepError, match="finished translation"):
        write_step(job)
    with pytest.raises(StepError, match="needs derived objects"):
        check_step(job)
    translate_step(job, Smoothing())
    first = write_step(job)
    assert [len(series.paths) for series in first] == [5, 1, 1]
    before = {path: path.read_bytes() for path in job.derived.iterdir()}
    assert check_step(job) == []
    job.discard_written()
    assert write_step(JobFolder(job.path)) == first
    assert {path: path.read_bytes() for path in job.derived.iterdir()} == before
    assert job.written == first


def test_output_of_another_release_is_not_written_as_ours(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    translate_step(job, Smoothing())
    older = replace(job.input, model="ldct_denoise@0.0.1")  # the node was updated at this point
    write_json(job.path / "input.json", older.to_json())
    with pytest.raises(StepError, match=r"made for ldct_denoise@0\.0\.1"):
        write_step(JobFolder(job.path))
