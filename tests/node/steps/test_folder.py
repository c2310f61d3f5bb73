from __future__ import annotations

from pathlib import Path

from node.steps.folder import JobFolder, JobInput
from tests.node.steps.phantom_job import job_folder


def test_input_is_written_once_and_read_back(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    again = JobFolder(job.path)
    again.prepare(JobInput(**{**vars(job.input), "job_id": "y"}))
    assert again.input == job.input
