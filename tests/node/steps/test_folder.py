from __future__ import annotations

from pathlib import Path

from node.steps.folder import JobFolder, JobInput
from tests.node.steps.phantom_job import job_folder


def test_input_is_written_once_and_read_back(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    again = JobFolder(job.path)
    again.prepare(JobInput(**{**vars(job.input), "job_id": "y"}))
    assert again.input == job.input


def test_nothing_that_a_killed_worker_had_begun_stays(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    begun = [job.path / "record.json.0a1b2c3d.part", job.derived / "DEN-0001.dcm.0a1b2c3d.part"]
    job.derived.mkdir(exist_ok=True)
    for path in begun:
        path.write_bytes(b"half")
    job.discard_translated()
    assert not [path for path in job.path.rglob("*") if path.suffix == ".part"]
