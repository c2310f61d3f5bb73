from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from node.config import NodeSettings
from node.counters import CounterBuffer, add_counts, read_counts
from node.database import counters, open_database


def test_totals_grow(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    with engine.begin() as connection:
        add_counts(connection, {("instances", "admitted"): 2, ("instances", "duplicate"): 1})
        add_counts(connection, {("instances", "admitted"): 3})
        assert read_counts(connection)["instances", "admitted"] == 5
    engine.dispose()


def test_a_buffer_keeps_what_could_not_be_written(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    buffer = CounterBuffer()
    buffer.flush(engine)
    buffer.add("associations", "RELEASED")
    counters.drop(engine)
    with pytest.raises(sa.exc.OperationalError):
        buffer.flush(engine)
    counters.create(engine)
    buffer.add("associations", "RELEASED")
    buffer.flush(engine)
    buffer.flush(engine)
    with engine.connect() as connection:
        assert read_counts(connection) == {("associations", "RELEASED"): 2}
    engine.dispose()
