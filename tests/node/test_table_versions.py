from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.config import NodeSettings
from node.database import commitments, database_url, metadata, open_database, versions
from node.table_versions import TABLES_VERSION, DatabaseTooNew, tables_version

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
    assert tables_version(engines[0], versions) == TABLES_VERSION
    for engine in engines:
        engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path / "data")
    engine = open_database(settings)
    with engine.begin() as connection:
        connection.execute(versions.update().values(number=TABLES_VERSION + 1))
        connection.exec_driver_sql("DROP TABLE commitments")
    engine.dispose()
    shutil.copytree(tmp_path / "data", tmp_path / "before")
    wanted = f"version {TABLES_VERSION + 1}, this program knows {TABLES_VERSION}: .* install"
    with pytest.raises(DatabaseTooNew, match=wanted):
        open_database(settings)
    for path in (tmp_path / "before").iterdir():
        assert (tmp_path / "data" / path.name).read_bytes() == path.read_bytes()


def test_a_fresh_database_knows_its_version(settings: NodeSettings) -> None:
    engine = open_database(settings)
    assert tables_version(engine, versions) == TABLES_VERSION
    engine.dispose()
