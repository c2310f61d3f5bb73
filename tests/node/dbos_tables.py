"""DBOS's own tables, opened in this process, with workflows that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID
from sqlalchemy.engine import Connection

from node.worker import dbos_config
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, empty, job_node


@DBOS.workflow(name="nothing")
def nothing() -> None:
    """Ends at once, with one recorded step."""
    DBOS.run_step({"name": "step"}, str)


@contextmanager
def launched_node(folder: Path, database: str) -> Iterator[JobNode]:
    """A node without a worker, whose DBOS is launched in this process."""
    with job_node(folder, StorageSCP(port=1), database) as node:
        empty(node.database)
        DBOS(config=dbos_config(node.config, "this-process"))
        DBOS.launch()
        try:
            yield node
        finally:
            DBOS.destroy()


@contextmanager
def dbos_table(node: JobNode, table: str) -> Iterator[tuple[Connection, str]]:
    """A connection to DBOS's database, and the name of one of its tables there."""
    url, name = node.config.node.database, f"dbos.{table}"
    if url == "sqlite":
        url, name = f"sqlite:///{node.config.node.data_dir / 'dbos.sqlite'}", table
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        yield connection, name
    engine.dispose()


def recorded(node: JobNode, table: str = "workflow_status", status: str = "") -> list[str]:
    """Workflow ids in one of DBOS's tables; where asked for, those of a status."""
    with dbos_table(node, table) as (connection, name):
        only = f"WHERE status = '{status}'" if status else ""
        query = sa.text(f"SELECT workflow_uuid FROM {name} {only}")
        return [row[0] for row in connection.execute(query)]


def record(node: JobNode, workflow_id: str, status: str, created: datetime) -> None:
    """A workflow that was made at that time, and is in that state now; DBOS is launched."""
    with SetWorkflowID(workflow_id):
        DBOS.start_workflow(nothing).get_result()
    with dbos_table(node, "workflow_status") as (connection, name):
        milliseconds = int(created.timestamp() * 1000)
        change = f"SET status = '{status}', created_at = {milliseconds}"
        connection.execute(sa.text(f"UPDATE {name} {change} WHERE workflow_uuid = '{workflow_id}'"))
