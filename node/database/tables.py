"""Every table of the node, on SQLite or PostgreSQL, and the engine that opens them.

Times are timezone-aware UTC. The spool's files are the truth for `instances`; everything in that
table can be rebuilt from them.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.types import TypeDecorator

from node.config import NodeSettings
from node.database.sqlite_version import refuse_old_sqlite
from node.database.versions import bring_up_to_date, tables_version, versions_table
from node.errors import NodeError

metadata = sa.MetaData()

versions = versions_table(metadata)


class UTCDateTime(TypeDecorator[datetime]):
    """A timezone-aware time, kept as UTC (SQLite has no time zones of its own)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive time is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time needs a time zone, got a naive one; use datetime.now(UTC).")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Back with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


instances = sa.Table(
    "instances",
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    sa.Column("series_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("study_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("sop_class_uid", sa.String(64), nullable=False),
    sa.Column("transfer_syntax_uid", sa.String(64), nullable=False),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("received", UTCDateTime, nullable=False),
    sa.Column("path", sa.String, nullable=False),  # below data_dir
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),  # of the data set as received
    sa.Column("attributes", sa.JSON, nullable=False),  # PS3.18 F, no pixels
    sa.Column("deleted", UTCDateTime),  # by retention; the row stays as the memory of it
)

sa.Index(  # what is here, among all that ever was
    "ix_instances_here",
    instances.c.series_instance_uid,
    sqlite_where=instances.c.deleted.is_(None),
    postgresql_where=instances.c.deleted.is_(None),
)

conflicts = sa.Table(
    "conflicts",  # a second content under a known SOP Instance UID, kept aside
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sop_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("series_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("received", UTCDateTime, nullable=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.UniqueConstraint("sop_instance_uid", "sha256"),
)

series = sa.Table(
    "series",
    metadata,
    sa.Column("series_instance_uid", sa.String(64), primary_key=True),
    sa.Column("study_instance_uid", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # assembly.SeriesState
    sa.Column("revision", sa.Integer, nullable=False, default=1),
    sa.Column("instance_count", sa.Integer, nullable=False, default=0),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("first_received", UTCDateTime, nullable=False),
    sa.Column("last_received", UTCDateTime, nullable=False),
    sa.Column("completed", UTCDateTime),
    sa.Column("completed_count", sa.Integer, nullable=False, default=0),  # images it had then
    sa.Column("force_complete", sa.Boolean, nullable=False, default=False),
    sa.Column("evidence", sa.JSON, nullable=False),  # assembly.Evidence
    sa.Column("decision", sa.JSON, nullable=False),  # routing.Explanation of the latest revision
    sa.Column("reason", sa.String, nullable=False, default=""),  # the decision in one sentence
)

sa.Index("ix_series_late", series.c.instance_count - series.c.completed_count)
# Pages look at these again and again, and a year of series is remembered: no row is read for them.
sa.Index("ix_series_newest", series.c.last_received.desc(), series.c.study_instance_uid)
sa.Index("ix_series_study_newest", series.c.study_instance_uid, series.c.last_received)
sa.Index("ix_series_heard", series.c.source_ae, series.c.last_received)
sa.Index("ix_series_state_study", series.c.state, series.c.study_instance_uid)

associations = sa.Table(
    "associations",  # which associations brought a series, and how they ended: evidence
    metadata,
    sa.Column("association", sa.String(32), primary_key=True),
    sa.Column("series_instance_uid", sa.String(64), primary_key=True),
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),  # RELEASED, ABORTED, LOST
    sa.Column("instance_count", sa.Integer, nullable=False),  # acknowledged on it
    sa.Column("ended", UTCDateTime, nullable=False),
    sa.Index("ix_associations_series", "series_instance_uid", "ended"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # f(sources, pipeline, model, parameters)
    sa.Column("state", sa.String(16), nullable=False),  # jobs.JobState
    sa.Column("route", sa.String, nullable=False, index=True),
    sa.Column("pipeline", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False, index=True),  # name@version
    sa.Column("weights_sha256", sa.String(64), nullable=False, default=""),
    sa.Column("study_instance_uid", sa.String(64), nullable=False, index=True),
    sa.Column("source_series", sa.JSON, nullable=False),  # list of Series Instance UIDs
    sa.Column("sources", sa.JSON, nullable=False),  # {input key: [SOP Instance UIDs]}
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, default=1),
    sa.Column("derived_series", sa.JSON, nullable=False),  # list of Series Instance UIDs
    sa.Column("destinations", sa.JSON, nullable=False),  # list of peer names
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, default=2),  # 1 high, 2 normal, 3 low
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("run", sa.Integer, nullable=False, default=0),  # raised by retry and release
    sa.Column("enqueued_run", sa.Integer, nullable=False, default=-1),  # a workflow has this run
    sa.Column("accept_held", sa.Boolean, nullable=False, default=False),  # a person released it
    sa.Column("step", sa.String(16), nullable=False, default=""),  # gate, translate, write, ...
    sa.Column("progress", sa.Float, nullable=False, default=0.0),  # 0 to 1 within the step
    sa.Column("reason", sa.String, nullable=False, default=""),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("qc", sa.JSON, nullable=False),
    sa.Column("timings", sa.JSON, nullable=False),  # seconds by step
    sa.Column("created", UTCDateTime, nullable=False, index=True),
    sa.Column("started", UTCDateTime),
    sa.Column("finished", UTCDateTime, index=True),
    sa.Index("ix_jobs_state_created", "state", "created"),
    sa.Index("ix_jobs_state_study", "state", "study_instance_uid", "finished"),
)

past_jobs = sa.Table(
    "past_jobs",  # jobs whose rows are gone; one that is made again says the time of the first
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("created", UTCDateTime, nullable=False),
)

deliveries = sa.Table(
    "deliveries",  # one row a derived instance and destination
    metadata,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("destination", sa.String, primary_key=True),
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    sa.Column("status", sa.String(16), nullable=False),  # SENT, FAILED, COMMITTED
    sa.Column("status_code", sa.Integer),  # DIMSE or HTTP status
    sa.Column("updated", UTCDateTime, nullable=False),
)

commitments = sa.Table(
    "commitments",  # storage commitment transactions, PS3.4 annex J
    metadata,
    sa.Column("transaction_uid", sa.String(64), primary_key=True),
    sa.Column("job_id", sa.String(64), nullable=False, index=True),
    sa.Column("destination", sa.String, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # commitment.CommitmentState
    sa.Column("failed", sa.JSON, nullable=False),  # {SOP Instance UID: failure reason}
    sa.Column("kept", sa.JSON),  # SOP Instance UIDs that the report names as committed
    sa.Column("asked", UTCDateTime, nullable=False),
    sa.Column("answered", UTCDateTime),
)

performed_steps = sa.Table(
    "performed_steps",  # Modality Performed Procedure Steps, PS3.4 annex F
    metadata,
    sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # IN PROGRESS, COMPLETED, DISCONTINUED
    sa.Column("source_ae", sa.String(16), nullable=False),
    sa.Column("updated", UTCDateTime, nullable=False),
)

performed_series = sa.Table(
    "performed_series",  # what a step made, by series
    metadata,
    sa.Column("step_instance_uid", sa.String(64), primary_key=True),
    sa.Column("series_instance_uid", sa.String(64), primary_key=True, index=True),
    sa.Column("instance_count", sa.Integer, nullable=False),
)

executors = sa.Table(
    "executors",  # one row a worker process; one without a row must end: others take its jobs
    metadata,
    sa.Column("executor_id", sa.String, primary_key=True),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", UTCDateTime, nullable=False),
    sa.Column("heartbeat", UTCDateTime, nullable=False, index=True),
)

counters = sa.Table(
    "counters",  # running totals of the processes, shown by /metrics
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("labels", sa.String, primary_key=True, default=""),
    sa.Column("value", sa.BigInteger, nullable=False),
)


def insert_into(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the dialect of the connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


SQLITE = "node.sqlite"
"""The database below the data directory, where it is SQLite."""


def database_url(settings: NodeSettings) -> str:
    """The SQLAlchemy URL of the node's own tables."""
    if settings.database == "sqlite":
        return sqlite_url(settings.data_dir / SQLITE)
    return impatient(settings.database).replace("postgresql://", "postgresql+psycopg://", 1)


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of a file, whatever characters its name has."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def impatient(url: str) -> str:
    """A URL of PostgreSQL that says how long a server that is gone is waited for.

    What the site says itself stays.
    """
    given = sa.make_url(url)
    limits = {name: limit for name, limit in PATIENCE.items() if name not in given.query}
    return given.update_query_dict(limits).render_as_string(hide_password=False)


def strict_json(value: Any) -> str:
    """JSON (RFC 8259), in which there is no NaN and no infinity: such a number becomes null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_without_odd_numbers(value), allow_nan=False)


def _without_odd_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_odd_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_odd_numbers(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


ENGINE_SETTINGS: dict[str, Any] = {
    "json_serializer": strict_json,
    "hide_parameters": True,  # errors would quote rows, which hold patients' attributes
}


PATIENCE = {
    "connect_timeout": "5",  # s; else a host that is off would be waited for two minutes
    "tcp_user_timeout": "20000",  # ms; else one whose cable is pulled, for a quarter of an hour
    "keepalives_idle": "10",  # s; the same while nothing is sent
    "keepalives_interval": "5",
    "keepalives_count": "2",
}
"""Of a connection to PostgreSQL (libpq)."""


class NoNodeThere(NodeError):  # noqa: N818 - says what is wrong
    """A database is asked about a node that has never been started on it."""


def open_database(settings: NodeSettings) -> Engine:
    """Open the database and bring its tables up to date.

    SQLite runs in WAL mode with synchronous=FULL: a committed row survives a power cut.

    Raises:
        SqliteTooOld: of this Python's SQLite.
        DatabaseTooNew: a newer version of this program has used it.
    """
    if settings.database == "sqlite":
        refuse_old_sqlite()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    return _opened(settings, make=True)


def open_existing_database(settings: NodeSettings) -> Engine:
    """Open the database of a node that is there; makes none.

    Raises:
        SqliteTooOld: of this Python's SQLite.
        NoNodeThere: no node has been started there.
        DatabaseTooNew: a newer version of this program has used it.
    """
    if settings.database == "sqlite":
        refuse_old_sqlite()
        _refuse_empty(settings)
    return _opened(settings, make=False)


def _opened(settings: NodeSettings, *, make: bool) -> Engine:
    """With its tables up to date; tables are made only where that is asked for."""
    engine = unopened_database(settings)
    try:
        if not make:
            _refuse_without_tables(engine, settings)
        bring_up_to_date(engine, versions)
    except BaseException:
        engine.dispose()
        raise
    return engine


NAME_IT = "name its node.yaml with --config, or start one with `vscanner serve`."


def _refuse_empty(settings: NodeSettings) -> None:
    path = settings.data_dir / SQLITE
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = 0
    if not size:
        raise NoNodeThere(f"There is no node at {settings.data_dir}: it has no {SQLITE}; {NAME_IT}")


def _refuse_without_tables(engine: Engine, settings: NodeSettings) -> None:
    with engine.connect() as connection:
        found = tables_version(connection, versions)
    if found is None:
        raise NoNodeThere(
            f"There is no node at {settings.data_dir}: its database has no tables; {NAME_IT}"
        )


def unopened_database(settings: NodeSettings) -> Engine:
    """The database of a node that opens it elsewhere; it need not answer yet."""
    url = sa.make_url(database_url(settings))
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": 60}, **ENGINE_SETTINGS)
        sa.event.listen(engine, "connect", _tune_sqlite)
        return engine
    from node.database.silent_server import connect  # psycopg, which SQLite needs nothing of

    engine = sa.create_engine(url, pool_pre_ping=True, **ENGINE_SETTINGS)
    sa.event.listen(engine, "do_connect", connect)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000"):
        connection.execute(f"PRAGMA {pragma}")
