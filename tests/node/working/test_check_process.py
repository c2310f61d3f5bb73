from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from dicom_profiles.checks.check import Check
from node.steps.folder import JobFolder
from node.steps.translate import translate_step
from node.steps.write import write_step
from node.working import check_process
from node.working.check_process import Conclude, Open, Watch, look_beside
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder
from tests.servers import wait_until


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    made = job_folder(tmp_path)
    translate_step(made, Smoothing())
    return made


@pytest.fixture(autouse=True)
def _not_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(check_process, "set_up_logging", lambda: None)


def worker(talk: Callable[[Connection], None]) -> Callable[[], None]:
    """Runs the body here until a worker, in a thread, has said what it has to say and is gone."""

    def run() -> None:
        ours, theirs = Pipe()

        def speak() -> None:
            with ours:
                assert ours.recv() is True
                talk(ours)

        thread = threading.Thread(target=speak)
        thread.start()
        look_beside(theirs)
        thread.join()

    return run


def test_objects_are_looked_at_while_they_are_written(
    job: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(Check, "look", lambda _check, path: looked.append(path))
    monkeypatch.setattr(Check, "conclude", lambda _check, paths: list(paths))
    answers: list[object] = []

    def talk(pipe: Connection) -> None:
        pipe.send(Open(job.path, job.data_dir))
        pipe.send(Watch())
        paths = [path for series in write_step(job) for path in series.paths]
        wait_until(lambda: set(looked) == set(paths), 30, "all to be looked at")
        pipe.send(Conclude(tuple(paths)))
        answers.append(pipe.recv())
        assert sorted(looked) == sorted(paths), "each once"

    worker(talk)()
    assert len(answers) == 1


def test_nothing_is_looked_at_before_it_is_told(
    job: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there then may be of an earlier run."""
    monkeypatch.setattr(Check, "look", lambda _check, path: pytest.fail(path.name))
    write_step(job)
    worker(lambda pipe: pipe.send(Open(job.path, job.data_dir)))()


def test_a_job_that_writes_nothing_is_let_go(
    job: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_process, "PATIENCE_S", 0.0)
    pauses: list[float | None] = []
    poll = Connection.poll

    def noted(pipe: Connection, timeout: float | None = 0.0) -> bool:
        pauses.append(timeout)
        return poll(pipe, timeout)

    monkeypatch.setattr(Connection, "poll", noted)

    def talk(pipe: Connection) -> None:
        pipe.send(Open(job.path, job.data_dir))
        pipe.send(Watch())
        wait_until(lambda: check_process.LOOK_S in pauses and pauses[-1] is None, 30, "the end")
        pipe.send(Conclude(()))
        assert pipe.recv() is None

    worker(talk)()


def test_the_end_of_the_worker_is_the_end(job: JobFolder) -> None:
    worker(lambda pipe: None)()

    def gone_while_it_is_answered(pipe: Connection) -> None:
        pipe.send(Open(job.path, job.data_dir))
        pipe.send(Conclude(()))

    worker(gone_while_it_is_answered)()
