from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from dicom_profiles.checks.check import check_derived
from node.steps.check import check_step
from node.steps.folder import JobFolder
from node.steps.translate import translate_step
from node.steps.write import write_step
from node.working.check_beside import CheckBeside
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder
from tests.servers import wait_until


def translated(folder: Path) -> JobFolder:
    job = job_folder(folder)
    translate_step(job, Smoothing())
    return job


def paths_of(job: JobFolder) -> list[Path]:
    return [path for series in job.written or () for path in series.paths]


def ready(beside: CheckBeside, job: JobFolder) -> None:
    """Open a job as soon as the process has imported everything."""

    def is_open() -> bool:
        beside.open(job)
        return beside.knows(job)

    wait_until(is_open, 60, "the process to be ready")


@pytest.fixture
def beside() -> Iterator[CheckBeside]:
    started = CheckBeside()
    started.start()
    yield started
    started.stop()


def test_sound_objects_have_no_findings(beside: CheckBeside, tmp_path: Path) -> None:
    job = translated(tmp_path)
    ready(beside, job)
    beside.watch(job)
    write_step(job)
    assert beside.findings(job, paths_of(job)) == []


def test_it_finds_what_the_step_finds(
    beside: CheckBeside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = translated(tmp_path)
    ready(beside, job)
    write_step(job)
    paths = paths_of(job)
    paths[0].write_bytes(paths[0].read_bytes().replace(b"SYNTHETIC", b"ACQUIRED!"))
    paths[1].write_bytes(b"")
    expected = check_derived(job.sources, paths, for_dispatch=True)
    assert len(expected) > 2
    monkeypatch.setattr("node.steps.check.check_derived", None)  # what was found ahead is enough
    assert check_step(job, beside.findings) == [
        f"{finding.path.name}: {finding.sentence}" for finding in expected
    ]


@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_no_value_of_a_header_reaches_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """pydicom quotes what it warns of, and this is a process of its own."""
    job = job_folder(tmp_path)
    for path in job.input.sources["CT"]:
        ds = pydicom.dcmread(path)
        ds.SpecificCharacterSet = "DOE_JANE"
        ds.save_as(path)
    translate_step(job, Smoothing())
    beside = CheckBeside()
    beside.start()
    try:
        ready(beside, job)
        beside.watch(job)
        write_step(job)
        assert beside.findings(job, paths_of(job)) is not None
    finally:
        beside.stop()
    assert "JANE" not in capfd.readouterr().err


def test_a_file_that_was_replaced_is_looked_at_again(beside: CheckBeside, tmp_path: Path) -> None:
    """An earlier run left objects of the same names; this one writes them anew."""
    job = translated(tmp_path)
    write_step(job)
    whole = {path: path.read_bytes() for path in paths_of(job)}
    for path in whole:
        path.write_bytes(b"of an earlier run")
    ready(beside, job)
    beside.watch(job)
    for path, content in whole.items():
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.replace(path)
    assert beside.findings(job, list(whole)) == []


def test_one_job_at_a_time(beside: CheckBeside, tmp_path: Path) -> None:
    first, second = translated(tmp_path / "1"), translated(tmp_path / "2")
    ready(beside, first)
    ready(beside, second)
    for job in (first, second):
        beside.watch(job)
        write_step(job)
    assert beside.findings(first, paths_of(first)) is None
    assert beside.findings(second, paths_of(second)) == []
    assert beside.findings(second, paths_of(second)) is None, "its headers are let go"


def test_a_job_without_sources_is_left_to_the_step(beside: CheckBeside, tmp_path: Path) -> None:
    job = translated(tmp_path)
    write_step(job)
    gone = job.input.sources["CT"][0]
    ready(beside, job)
    beside.findings(job, [])
    content = gone.read_bytes()
    gone.unlink()
    beside.open(job)
    assert beside.findings(job, paths_of(job)) is None
    gone.write_bytes(content)
    beside.open(job)
    assert beside.findings(job, paths_of(job)) == []


def test_a_process_that_was_killed_is_started_again(
    beside: CheckBeside, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = translated(tmp_path)
    ready(beside, job)
    write_step(job)
    assert beside.pid is not None
    os.kill(beside.pid, signal.SIGKILL)
    assert beside.findings(job, paths_of(job)) is None
    assert [record.__dict__["action"] for record in caplog.records] == ["check_beside_gone"]
    ready(beside, job)
    assert beside.findings(job, paths_of(job)) == []


def test_without_a_process_nothing_is_known(tmp_path: Path) -> None:
    beside, job = CheckBeside(), translated(tmp_path)
    beside.open(job)
    beside.watch(job)
    write_step(job)
    assert beside.findings(job, paths_of(job)) is None
    beside.stop()
