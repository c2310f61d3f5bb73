"""Series of long ago are forgotten, names and all; what they became is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from node.database import instances, jobs, series
from node.forgetting import forget_series
from node.jobs import JobState
from node.spooling.incoming import FOLDER, exclusive
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, empty, job_node
from tests.node.life import DAY_S, KEEP, Life

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(seconds=KEEP.memory_keep_s + DAY_S)
YESTERDAY = NOW - timedelta(seconds=DAY_S)


@pytest.fixture
def life(either_database: str, tmp_path: Path) -> Iterator[Life]:
    """A node with a series that was committed and deleted long ago."""
    with job_node(tmp_path, StorageSCP(port=1), either_database) as made:
        empty(made.database)
        life = Life(made)
        life.day(JobState.COMMITTED)
        change(made, instances, deleted=LONG_AGO)
        change(made, series, last_received=LONG_AGO)
        change(made, jobs, finished=LONG_AGO)
        yield life


def change(node: JobNode, table: sa.Table, **values: Any) -> None:
    with node.database.begin() as connection:
        connection.execute(table.update().values(values))


def forget(life: Life) -> int:
    return forget_series(life.node.database, life.data, KEEP, NOW)


def rows(life: Life) -> list[int]:
    """How many instances, series and jobs are known."""
    with life.node.database.connect() as connection:
        return [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (instances, series, jobs)
        ]


def test_a_series_goes_and_its_job_stays(life: Life) -> None:
    job = life.sent[0][1]
    assert rows(life) == [2, 1, 1]
    assert (forget(life), rows(life)) == (1, [0, 0, 1])
    assert life.send_again(0).id == job.id
    assert rows(life) == [2, 1, 1]
    assert forget(life) == 0


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (instances, {"deleted": None}),
        (instances, {"deleted": YESTERDAY}),
        (series, {"last_received": YESTERDAY}),
        (series, {"state": "RECEIVING"}),
        (series, {"completed_count": 1}),
        (jobs, {"finished": None}),
        (jobs, {"finished": YESTERDAY}),
    ],
)
def test_what_anything_still_needs_stays(
    life: Life, table: sa.Table, values: dict[str, Any]
) -> None:
    change(life.node, table, **values)
    assert (forget(life), rows(life)) == (0, [2, 1, 1])


def test_what_was_derived_needs_its_series_as_long_as_it_is_here(life: Life) -> None:
    long = KEEP.model_copy(update={"derived_keep_s": 2 * KEEP.memory_keep_s})
    assert forget_series(life.node.database, life.data, long, NOW) == 0


def test_nothing_is_forgotten_while_images_are_admitted(life: Life) -> None:
    with exclusive(life.data / FOLDER) as ours:
        assert ours
        assert forget(life) == 0
    assert forget(life) == 1
