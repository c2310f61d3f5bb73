from __future__ import annotations

from pathlib import Path

import pytest

from node.config import NodeSettings
from node.counters import CounterBuffer, add_counts, read_counts
from node.database.tables import SQLITE, open_database


def test_totals_grow(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    with engine.begin() as connection:
        add_counts(connection, {("instances", "admitted"): 2, ("instances", "duplicate"): 1})
        add_counts(connection, {("instances", "admitted"): 3})
        assert read_counts(connection)["instances", "admitted"] == 5
    engine.dispose()


def test_a_buffer_keeps_what_could_not_be_written_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings, buffer = NodeSettings(data_dir=tmp_path), CounterBuffer()
    obstacle = tmp_path / SQLITE
    for times in (1, 2):
        obstacle.mkdir()  # SQLite cannot open it
        for _ in range(3):
            buffer.add("associations", "RELEASED")
            buffer.flush(lambda: open_database(settings))
        obstacle.rmdir()
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == times
        assert "totals wait for the database (the database: unable to open" in said[-1]
        engine = open_database(settings)
        buffer.flush(lambda engine=engine: engine)  # type: ignore[misc]
        buffer.flush(lambda engine=engine: engine)  # type: ignore[misc]
        with engine.connect() as connection:
            assert read_counts(connection) == {("associations", "RELEASED"): 3}
        engine.dispose()
        for file in tmp_path.iterdir():
            file.unlink()
