from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from node.steps.check import check_step
from node.steps.folder import JobFolder, JobInput, StepError
from node.steps.gate import gate_step
from node.steps.translate import translate_step, translated_slices
from node.steps.write import write_step
from tests.node.smoothing import Smoothing
from tests.synthetic import write_ct_series


def job_folder(tmp_path: Path, slices: int = 5, **changes: object) -> JobFolder:
    paths = tuple(write_ct_series(tmp_path / "source", slices=slices))
    values: dict[str, object] = {
        "job_id": "x",
        "pipeline": "ldct_denoise",
        "model": "",
        "weights_sha256": "",
        "parameters": {},
        "sources": {"CT": paths},
        "created": datetime(2026, 5, 1, 12, tzinfo=UTC),
        "ae_title": "VSCANNER",
    }
    folder = JobFolder(tmp_path / "job")
    folder.prepare(JobInput(**{**values, **changes}))  # type: ignore[arg-type]
    return folder


def test_input_is_written_once_and_read_back(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    again = JobFolder(job.path)
    again.prepare(JobInput(**{**vars(job.input), "job_id": "y"}))
    assert again.input == job.input


def test_slices_are_kept_in_order(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    record = translate_step(job, Smoothing())
    written = np.load(job.translated)
    streamed = np.stack(list(translated_slices(job.translated)))
    expected = np.stack(list(Smoothing().translate(job.sources).slices))
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, expected)
    np.testing.assert_array_equal(streamed, expected)
    assert record["slices"] == 5


def test_finished_translation_is_not_repeated(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    first = translate_step(job, Smoothing())
    written = job.translated.stat().st_mtime_ns
    assert translate_step(job, Smoothing(pause_s=10)) == first
    assert job.translated.stat().st_mtime_ns == written


def test_broken_off_translation_leaves_nothing_that_counts(tmp_path: Path) -> None:
    job = job_folder(tmp_path)

    class Stop(BaseException):
        pass

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        translate_step(job, Smoothing(), stop)
    assert job.record is None
    assert not job.translated.exists()
    assert translate_step(job, Smoothing())["slices"] == 5


def test_another_model_is_refused(tmp_path: Path) -> None:
    job = job_folder(tmp_path, model="ldct_denoise@0.0.1")
    with pytest.raises(StepError, match=r"made for ldct_denoise@0\.0\.1"):
        translate_step(job, Smoothing())


def test_ungated_skips_the_gate(tmp_path: Path) -> None:
    assert not gate_step(job_folder(tmp_path / "a", slices=2)).accepted
    assert gate_step(job_folder(tmp_path / "b", slices=2, ungated=True)).accepted


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


def test_damage_is_found(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    translate_step(job, Smoothing())
    (path, *_), *_ = (series.paths for series in write_step(job))
    path.write_bytes(path.read_bytes().replace(b"SYNTHETIC", b"ACQUIRED!"))
    findings = check_step(job)
    assert findings
    assert findings[0].startswith(path.name)
