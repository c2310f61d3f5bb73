from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import NodeSettings
from node.database.tables import (
    commitments,
    database_url,
    metadata,
    open_database,
    unopened_database,
    versions,
)
from node.database.versions import TABLES_VERSION, DatabaseTooNew, tables_version

ROW = {"transaction_uid": "1.2", "job_id": "j", "destination": "pacs", "state": "ASKED"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> NodeSettings:
    if request.param == "sqlite":
        return NodeSettings(data_dir=tmp_path)
    url = request.getfixturevalue("postgresql")
    made = NodeSettings(data_dir=tmp_path, database=url)
    engine = sa.create_engine(database_url(made))
    metadata.drop_all(engine)
    engine.dispose()
    return made


def version_of(engine: Engine) -> int | None:
    with engine.connect() as connection:
        return tables_version(connection, versions)


def make_first_version(settings: NodeSettings) -> None:
    """A database as it was before versions were counted, with a row in it."""
    engine = open_database(settings)
    with engine.begin() as connection:
        now = datetime.now(UTC)
        connection.execute(commitments.insert().values(**ROW, failed={}, asked=now))
        connection.exec_driver_sql("ALTER TABLE commitments DROP COLUMN kept")
        connection.exec_driver_sql("DROP INDEX ix_instances_here")
        connection.exec_driver_sql("DROP TABLE versions")
    engine.dispose()


def test_a_database_of_an_older_version_is_brought_up_to_date(settings: NodeSettings) -> None:
    make_first_version(settings)
    with ThreadPoolExecutor(4) as threads:
        engines = list(threads.map(lambda _: open_database(settings), range(4)))
    with engines[0].begin() as connection:
        (row,) = connection.execute(sa.select(commitments))
        assert (row.transaction_uid, row.kept) == ("1.2", None)
        connection.execute(commitments.update().values(kept=["1.3"]))
        names = {index["name"] for index in sa.inspect(connection).get_indexes("instances")}
    assert "ix_instances_here" in names
    assert version_of(engines[0]) == TABLES_VERSION
    for engine in engines:
        engine.dispose()


def test_tables_come_all_at_once(settings: NodeSettings) -> None:
    """Else who opens a fresh database at the same moment takes it for one of an older version."""
    other = unopened_database(settings)
    seen: list[list[str]] = []

    def look(*_: object, **__: object) -> None:
        with other.connect() as connection:
            seen.append(sa.inspect(connection).get_table_names())

    for table in metadata.sorted_tables:
        sa.event.listen(table, "after_create", look)
    try:
        open_database(settings).dispose()
    finally:
        for table in metadata.sorted_tables:
            sa.event.remove(table, "after_create", look)
    assert seen == [[]] * len(metadata.tables)
    assert set(sa.inspect(other).get_table_names()) == set(metadata.tables)
    other.dispose()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path / "data")
    engine = open_database(settings)
    with engine.begin() as connection:
        connection.execute(versions.update().values(number=TABLES_VERSION + 1))
        connection.exec_driver_sql("DROP TABLE commitments")
    engine.dispose()
    shutil.copytree(tmp_path / "data", tmp_path / "before")
    wanted = f"version {TABLES_VERSION + 1}, this program knows {TABLES_VERSION}: .* put back"
    with pytest.raises(DatabaseTooNew, match=wanted):
        open_database(settings)
    for path in (tmp_path / "before").iterdir():
        assert (tmp_path / "data" / path.name).read_bytes() == path.read_bytes()


def test_a_fresh_database_knows_its_version_and_is_no_older_one(
    settings: NodeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(8) as threads:
        engines = list(threads.map(lambda _: open_database(settings), range(8)))
    for engine in engines:
        assert version_of(engine) == TABLES_VERSION
        engine.dispose()
    assert caplog.messages == []
