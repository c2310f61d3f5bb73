from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from node.steps.folder import StepError
from node.steps.translate import translate_step, translated_slices
from pipelines import gates
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder


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
    assert record["output_sha256"] == hashlib.sha256(expected.tobytes()).hexdigest()


def test_the_record_tells_what_the_gate_remarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "remarks", lambda name, inputs: (f"{name} of {list(inputs)}.",))
    record = translate_step(job_folder(tmp_path), Smoothing())
    assert record["verdict"] == "AMBER"
    assert "ldct_denoise of ['CT']." in record["reasons"]


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
    assert not list(job.path.glob("translated*"))  # it may be large, and the disk full
    assert translate_step(job, Smoothing())["slices"] == 5


def test_another_model_is_refused(tmp_path: Path) -> None:
    job = job_folder(tmp_path, model="ldct_denoise@0.0.1")
    with pytest.raises(StepError, match=r"made for ldct_denoise@0\.0\.1"):
        translate_step(job, Smoothing())
