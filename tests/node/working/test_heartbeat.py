from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import JobSettings, NodeSettings
from node.database.tables import executors, open_database
from node.working.heartbeat import Executor, Heartbeat
from tests.node.job_node import empty
from tests.servers import wait_until

QUICK = JobSettings(heartbeat_s=0.05, lost_after_s=0.3)
HOLD_A_ROW = """
import sys, time
from pathlib import Path
from node.config import NodeSettings
from node.database.tables import open_database
from node.working.heartbeat import Executor
executor = Executor(open_database(NodeSettings(data_dir=Path(sys.argv[1]))), Path(sys.argv[1]))
executor.register()
print(executor.id, flush=True)
time.sleep(600)
"""


class Clock:
    """Seconds that grow when told to, and how often they were asked for."""

    now = 0.0
    asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.now


@pytest.fixture
def database(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(NodeSettings(data_dir=tmp_path, database=either_database))
    empty(engine)
    yield engine
    engine.dispose()


def elsewhere(database: Engine, executor: Executor) -> None:
    """Pretend that the executor runs on another machine, where its lock cannot be seen."""
    with database.begin() as connection:
        connection.execute(
            executors.update()
            .where(executors.c.executor_id == executor.id)
            .values(host="another machine")
        )


def test_register_beat_and_remove(database: Engine, tmp_path: Path) -> None:
    executor = Executor(database, tmp_path)
    executor.register()
    assert executor.beat()
    assert executor.is_registered()
    executor.remove(executor.id)
    assert not executor.beat()
    assert not executor.is_registered()


def test_silent_worker_elsewhere_is_lost_after_a_while(database: Engine, tmp_path: Path) -> None:
    clock = Clock()
    watching, far = Executor(database, tmp_path, clock), Executor(database, tmp_path)
    for executor in (watching, far):
        executor.register()
    elsewhere(database, far)
    assert watching.remove_dead(15) == []  # seen for the first time: its age is unknown
    clock.now = 14
    assert watching.remove_dead(15) == []
    far.beat()
    clock.now = 16
    assert watching.remove_dead(15) == []  # it beat
    clock.now = 30
    assert watching.remove_dead(15) == []
    clock.now = 40
    assert watching.remove_dead(15) == [far.id]
    assert not far.beat()  # so it knows


def test_living_worker_of_this_machine_is_not_lost(database: Engine, tmp_path: Path) -> None:
    clock = Clock()
    watching, near = Executor(database, tmp_path, clock), Executor(database, tmp_path)
    for executor in (watching, near):
        executor.register()
    assert watching.remove_dead(15) == []


def test_killed_worker_of_this_machine_is_known_at_once(tmp_path: Path) -> None:
    database = open_database(NodeSettings(data_dir=tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_ROW, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    executor_id = process.stdout.readline().strip()
    watching = Executor(database, tmp_path)
    watching.register()
    assert watching.remove_dead(3600) == []
    process.kill()
    process.wait()
    process.stdout.close()
    assert watching.remove_dead(3600) == [executor_id]
    assert watching.registered() == {watching.id}
    third = Executor(database, tmp_path)
    third.register()
    assert third.remove_dead(3600) == []  # who removes another one holds its own lock still
    database.dispose()


def test_a_lock_that_nobody_has_a_row_for_goes(database: Engine, tmp_path: Path) -> None:
    """Its worker was killed between the two; one that begins, or holds it, is left alone."""
    watching, near = Executor(database, tmp_path), Executor(database, tmp_path)
    for executor in (watching, near):
        executor.register()
    with database.begin() as connection:  # it has not come to that yet: the database is slow
        connection.execute(executors.delete().where(executors.c.executor_id == near.id))
    old, fresh = (tmp_path / "workers" / f"{name}.lock" for name in ("old", "fresh"))
    for path in (tmp_path / "workers").iterdir():
        os.utime(path, (0, 0))
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    assert watching.remove_dead(3600) == []
    ours = {f"{executor.id}.lock" for executor in (watching, near)}
    assert {path.name for path in (tmp_path / "workers").iterdir()} == ours | {fresh.name}


def test_heartbeat_beats_and_recovers(database: Engine, tmp_path: Path) -> None:
    executor, recovered = Executor(database, tmp_path), threading.Event()
    executor.register()
    with database.connect() as connection:
        before = connection.execute(sa.select(executors.c.heartbeat)).scalar_one()
    beat = Heartbeat(executor, QUICK, recovered.set, pytest.fail)
    beat.start()
    assert recovered.wait(10)

    def renewed() -> bool:
        with database.connect() as connection:
            return bool(connection.execute(sa.select(executors.c.heartbeat)).scalar_one() > before)

    wait_until(renewed, 10)
    beat.stop()


def test_fenced_worker_ends(database: Engine, tmp_path: Path) -> None:
    executor, ended = Executor(database, tmp_path), threading.Event()
    executor.register()
    beat = Heartbeat(executor, QUICK, lambda: None, ended.set)
    beat.start()
    executor.remove(executor.id)
    assert ended.wait(10)
    beat.stop()


def test_worker_that_cannot_beat_ends_before_others_take_over(tmp_path: Path) -> None:
    database = open_database(NodeSettings(data_dir=tmp_path))
    executor, ended = Executor(database, tmp_path), threading.Event()
    executor.register()
    beat = Heartbeat(executor, QUICK, lambda: None, ended.set)
    executors.drop(database)  # as if the database were away
    beat.start()
    assert ended.wait(10)
    beat.stop()
    database.dispose()


def test_a_worker_is_lost_by_the_time_since_its_last_beat_not_by_its_age(tmp_path: Path) -> None:
    database = open_database(NodeSettings(data_dir=tmp_path))
    executor, ended, clock = Executor(database, tmp_path), threading.Event(), Clock()

    def beat_three_times() -> None:
        before = clock.asked  # once a beat, be it in vain
        wait_until(lambda: clock.asked > before + 3, 10)

    executor.register()
    beat = Heartbeat(executor, QUICK, lambda: None, ended.set, clock)
    beat.start()
    clock.now = 100  # old by now
    beat_three_times()
    executors.drop(database)  # as if the database were away
    beat_three_times()
    assert not ended.is_set()
    clock.now += QUICK.lost_after_s + 1
    assert ended.wait(10)
    beat.stop()
    database.dispose()
