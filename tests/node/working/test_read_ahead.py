from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from dicom_profiles.reading import open_source
from node.assembling.assembly import SeriesState
from node.config import Config
from node.database.tables import instances, series
from node.spool import Spool
from node.working import read_ahead
from node.working.read_ahead import KEEP_S, LOOK_S, ReadAhead
from tests.node.feeding import feed
from tests.synthetic import write_ct_series


class Clock:
    """Seconds that grow when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ahead(config: Config, database: Engine, clock: Clock) -> ReadAhead:
    return ReadAhead(config.node.data_dir, database, clock)


def received(config: Config, database: Engine, folder: Path, slices: int = 4) -> list[Path]:
    """A series in the spool that got its last image two seconds ago; gives its files there."""
    spool = Spool(config.node.data_dir, database)
    before = set(spool.data_dir.rglob("*.dcm"))
    feed(spool, write_ct_series(folder, slices=slices, seed=len(before)))
    while spool.admit_incoming():
        pass
    change(database, last_received=datetime.now(UTC) - timedelta(seconds=2))
    return sorted(set(spool.data_dir.rglob("*.dcm")) - before)


def change(database: Engine, **values: object) -> None:
    with database.begin() as connection:
        connection.execute(series.update().values(**values))


def test_headers_of_a_silent_series_are_known_before_its_job(
    config: Config,
    database: Engine,
    ahead: ReadAhead,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = received(config, database, tmp_path / "ct")
    ahead.look()
    known = ahead.take()
    assert sorted(known) == paths
    assert ahead.take() == {}, "they are the job's now"
    expected = open_source(paths)
    monkeypatch.setattr("dicom_profiles.reading.read_header", None)  # nothing is read again
    source = open_source(paths, known)
    assert source.sop_instance_uids == expected.sop_instance_uids
    assert source.headers == expected.headers


def test_a_series_that_just_got_an_image_is_left(
    config: Config,
    database: Engine,
    ahead: ReadAhead,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read_ahead, "SILENCE_S", 3600.0)
    received(config, database, tmp_path / "ct")
    ahead.look()
    assert ahead.take() == {}


def test_a_series_that_nobody_waits_for_any_more_is_left(
    config: Config, database: Engine, ahead: ReadAhead, tmp_path: Path
) -> None:
    received(config, database, tmp_path / "ct")
    change(database, state=SeriesState.COMPLETE)
    ahead.look()
    assert ahead.take() == {}


def test_deleted_and_unreadable_images_are_left(
    config: Config, database: Engine, ahead: ReadAhead, tmp_path: Path
) -> None:
    deleted, damaged, missing, *sound = received(config, database, tmp_path / "ct", slices=5)
    with database.begin() as connection:
        row = instances.c.sop_instance_uid == deleted.stem
        connection.execute(instances.update().where(row).values(deleted=datetime.now(UTC)))
    damaged.write_bytes(damaged.read_bytes()[:140])
    missing.unlink()
    ahead.look()
    assert sorted(ahead.take()) == sound


def test_a_long_series_is_read_in_portions(
    config: Config,
    database: Engine,
    ahead: ReadAhead,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that is made meanwhile waits for no more than one of them."""
    monkeypatch.setattr(read_ahead, "PORTION", 3)
    paths = received(config, database, tmp_path / "ct", slices=5)
    ahead.look()
    assert len(ahead.take()) == 3
    ahead.look()
    ahead.look()
    assert sorted(ahead.take()) == paths
    received(config, database, tmp_path / "more")
    ahead.look()
    assert ahead.take() == {}, "all was read: it looks again a little later"
    clock.now += LOOK_S
    ahead.look()
    assert len(ahead.take()) == 3


def test_what_no_job_takes_is_let_go(
    config: Config, database: Engine, ahead: ReadAhead, clock: Clock, tmp_path: Path
) -> None:
    received(config, database, tmp_path / "ct")
    clock.now += 10 * KEEP_S
    ahead.look()  # still open
    change(database, state=SeriesState.COMPLETE)
    clock.now += KEEP_S
    ahead.look()  # its job may be made any moment
    assert len(ahead._known) == 4
    clock.now += LOOK_S
    ahead.look()
    assert ahead.take() == {}


def test_no_more_is_kept_than_there_is_room_for(
    config: Config,
    database: Engine,
    ahead: ReadAhead,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read_ahead, "MOST", 5)
    received(config, database, tmp_path / "first")
    ahead.look()
    change(database, state=SeriesState.COMPLETE)
    later = received(config, database, tmp_path / "second")
    with database.begin() as connection:
        row = series.c.series_instance_uid == later[0].parent.name
        connection.execute(series.update().where(row).values(state=SeriesState.RECEIVING))
    clock.now += LOOK_S
    ahead.look()
    assert sorted(ahead.take()) == later
