from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from node.config import Config, NodeSettings
from node.database.tables import (
    NoNodeThere,
    UTCDateTime,
    database_url,
    executors,
    metadata,
    open_database,
    open_existing_database,
)
from node.worker import dbos_config

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - what is refused, and made aware


def executor(**columns: object) -> dict[str, object]:
    """A row of `executors`."""
    now = datetime.now(UTC)
    return {
        "executor_id": "a", "host": "h", "pid": 1, "started": now, "heartbeat": now, **columns
    }  # fmt: skip


def test_a_second_opening_finds_what_the_first_kept(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path / "data")
    with open_database(settings).begin() as connection:
        connection.execute(executors.insert(), executor())
    with open_database(settings).connect() as connection:
        assert [row.executor_id for row in connection.execute(sa.select(executors))] == ["a"]


def test_sqlite_survives_a_power_cut(tmp_path: Path) -> None:
    with open_database(NodeSettings(data_dir=tmp_path)).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_processes_that_start_together_make_the_tables_once(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path)
    with ThreadPoolExecutor(4) as threads:
        engines = list(threads.map(lambda _: open_database(settings), range(4)))
    for engine in engines:
        assert set(sa.inspect(engine).get_table_names()) == set(metadata.tables)


@given(st.datetimes(NAIVE, NAIVE.replace(year=2090)), st.integers(-12 * 60, 14 * 60))
def test_a_time_comes_back_as_the_same_moment(at: datetime, offset_minutes: int) -> None:
    there, dialect = timezone(timedelta(minutes=offset_minutes)), sqlite.dialect()
    kept = UTCDateTime().process_bind_param(at.replace(tzinfo=there), dialect)
    assert kept is not None
    back = UTCDateTime().process_result_value(kept.replace(tzinfo=None), dialect)
    assert back == at.replace(tzinfo=there)
    assert back is not None
    assert back.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    row = executor(started=NAIVE)
    with engine.begin() as connection, pytest.raises(sa.exc.StatementError, match="naive"):
        connection.execute(executors.insert(), row)


@pytest.mark.parametrize("name", ["two words", "Rö", "100%25", "what?", "no. #1", "a&b=c@d:e+f"])
def test_a_data_directory_may_have_any_name(name: str, tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path / name)
    open_database(settings).dispose()
    url = dbos_config(Config(node=settings), "this-process")["system_database_url"]
    sa.create_engine(str(url)).connect().close()
    assert list(tmp_path.iterdir()) == [tmp_path / name], "nothing beside it"
    assert {"node.sqlite", "dbos.sqlite"} <= {path.name for path in (tmp_path / name).iterdir()}


def test_postgresql_is_spoken_by_psycopg(tmp_path: Path) -> None:
    given = "postgresql://node:p%40ss@db/scanner?connect_timeout=9"
    url = sa.make_url(database_url(NodeSettings(data_dir=tmp_path, database=given)))
    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.database) == ("node", "p@ss", "db", "scanner")
    assert url.query["connect_timeout"] == "9", "what the site says stays"


def test_a_number_that_json_does_not_have_becomes_null(tmp_path: Path) -> None:
    """PostgreSQL refuses NaN, and so do readers of our JSON."""
    database = open_database(NodeSettings(data_dir=tmp_path / "data"))
    value = {"a": [float("nan"), 1.5], "b": {"c": float("-inf")}, "d": "NaN"}
    with database.begin() as connection:
        found = connection.scalar(sa.select(sa.literal(value, sa.JSON)))
    assert found == {"a": [None, 1.5], "b": {"c": None}, "d": "NaN"}


def test_an_error_quotes_no_row(tmp_path: Path) -> None:
    """Rows hold patients' attributes, and errors go to the log."""
    database = open_database(NodeSettings(data_dir=tmp_path / "data"))
    with database.begin() as connection:
        connection.execute(executors.insert(), executor(host="SECRET"))
    with pytest.raises(sa.exc.IntegrityError) as caught, database.begin() as connection:
        connection.execute(executors.insert(), executor(host="SECRET"))
    assert "SECRET" not in str(caught.value)


def test_a_host_that_is_off_is_not_waited_for(tmp_path: Path) -> None:
    """A server that takes the connection and says nothing, as one behind a firewall does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://node@127.0.0.1:{silent.getsockname()[1]}/scanner"
        settings = NodeSettings(data_dir=tmp_path, database=url)
        began = time.monotonic()
        with pytest.raises(sa.exc.OperationalError):
            open_database(settings)
    assert time.monotonic() - began < 30


def test_a_host_whose_cable_is_pulled_is_not_waited_for(tmp_path: Path, postgresql: str) -> None:
    """A lost connection would otherwise hold every process for a quarter of an hour."""
    engine = open_database(NodeSettings(data_dir=tmp_path, database=postgresql))
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as opened:
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    engine.dispose()


def test_a_database_without_a_node_is_left_as_it_is(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path)
    with pytest.raises(NoNodeThere):
        open_existing_database(settings)
    assert not list(tmp_path.iterdir())
    (tmp_path / "node.sqlite").touch()
    with pytest.raises(NoNodeThere):
        open_existing_database(settings)
    assert not (tmp_path / "node.sqlite").read_bytes()
    open_database(settings).dispose()
    open_existing_database(settings).dispose()


@pytest.mark.postgresql
def test_a_postgresql_without_a_node_is_left_as_it_is(postgresql: str) -> None:
    server = sa.create_engine(postgresql.replace("postgresql://", "postgresql+psycopg://"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE nobody")
    settings = NodeSettings(database=postgresql.rpartition("/")[0] + "/nobody")
    with pytest.raises(NoNodeThere, match="no tables"):
        open_existing_database(settings)
    engine = sa.create_engine(database_url(settings))
    assert not sa.inspect(engine).get_table_names()
    engine.dispose()
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE nobody")
    server.dispose()
