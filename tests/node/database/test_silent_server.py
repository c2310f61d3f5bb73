"""A PostgreSQL server that is there and says nothing is given up, and used again when it speaks."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from node.config import NodeSettings
from node.database.silent_server import AnsweredConnection
from node.database.tables import open_database, unopened_database
from node.database.versions import LOCK
from tests.faults.receiving_node import receiving_node, send, write_files
from tests.node.datasets import same_series
from tests.node.receiving.running import make_config
from tests.servers import run_postgresql, stopped_postgresql, wait_until

pytestmark = pytest.mark.postgresql


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[NodeSettings]:
    """Of a node with a server of its own, which may be stopped."""
    with run_postgresql() as url:
        yield NodeSettings(data_dir=tmp_path / "data", database=url)


@pytest.fixture
def engine(settings: NodeSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """One connection at most, which has been used."""
    monkeypatch.setattr(AnsweredConnection, "answer_s", 1.0)
    made = unopened_database(settings)
    assert answer_of(made) == 1
    yield made
    made.dispose()
    gc.collect()  # it alone closes a connection of psycopg that was never made


def answer_of(engine: Engine) -> int | None:
    with engine.connect() as connection:
        return connection.scalar(sa.select(1))


def test_an_idle_connection(engine: Engine, settings: NodeSettings) -> None:
    with stopped_postgresql(settings.database), pytest.raises(OperationalError, match="expired"):
        answer_of(engine)  # neither it nor a new one
    assert answer_of(engine) == 1


def test_a_transaction(engine: Engine, settings: NodeSettings) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE made (number integer)"))
        with stopped_postgresql(settings.database):
            with pytest.raises(OperationalError, match=r"no answer within 1\.0 s"):
                connection.execute(sa.text("SELECT 1"))
            assert connection.invalidated
    with engine.connect() as connection:
        assert not sa.inspect(connection).has_table("made")


def test_what_brings_tables_up_to_date_takes_its_time(
    settings: NodeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnsweredConnection, "answer_s", 0.5)
    other = sa.create_engine(settings.database.replace("postgresql:", "postgresql+psycopg:"))
    opened: list[Engine] = []
    opening = threading.Thread(target=lambda: opened.append(open_database(settings)))
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with other.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        opening.start()
        wait_until(lambda: connection.scalar(waiting) == 1, 30, "the other to wait")
        time.sleep(1.0)  # twice as long as any other answer may take
        assert opening.is_alive()
    opening.join(60)
    other.dispose()
    (engine,) = opened
    assert answer_of(engine) == 1
    with engine.connect() as connection:  # nobody else got the patient connection
        assert "answer_s" not in vars(connection.connection.driver_connection)
    engine.dispose()


@pytest.mark.dcmtk
def test_what_is_sent_meanwhile_is_taken_and_admitted_later(
    settings: NodeSettings, tmp_path: Path
) -> None:
    config = make_config(settings.data_dir, receivers=1, database=settings.database)
    files = write_files(tmp_path / "files", same_series(4))
    with receiving_node(tmp_path, config) as node:
        wait_until(lambda: '"assembler_started"' in node.log.read_text(), 60, "the assembler")
        with stopped_postgresql(settings.database):
            sent = send(config.node.port, files, tmp_path / "sent.log")
            assert len(sent.acknowledged()) == len(files)
            wait_until(lambda: '"assembly_failed"' in node.log.read_text(), 90, "it to be said")
        node.wait_for(len(files))
        assert "Traceback" not in node.log.read_text()
