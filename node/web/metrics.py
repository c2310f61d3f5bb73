"""`GET /metrics` for Prometheus: read from the tables at each scrape, no patient data."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection
from starlette.requests import Request
from starlette.responses import Response

from node.counters import read_counts
from node.database.tables import commitments, executors, jobs, series
from node.jobs.ledger import JobState
from node.web.admission import waited
from node.web.rows import counts_by_state
from node.web.site import Site, site_of
from node.web.standing import Standing, associations_refused, instances_received, standing

PREFIX = "vscanner_"
JOBS_LOOKED_AT = 200
"""Step times are those of this many jobs that finished last."""
REMEMBERED = timedelta(days=1)
"""A worker silent for longer is no longer listed."""


def get_metrics(request: Request) -> Response:
    """`GET /metrics`: the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(site_of(request)))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class NodeCollector(Collector):
    """Every figure of the node at this moment."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def collect(self) -> Iterator[Metric]:
        """The figures, read in one connection."""
        with self.site.database.connect() as connection:
            now = standing(connection, self.site.config)
            yield from _standing_metrics(now)
            yield _admission_metric(self.site, now)
            yield from _state_metrics(connection, now)
            yield from _counter_metrics(connection)
            yield from _step_metrics(connection)
            yield from _age_metrics(connection, now)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _standing_metrics(now: Standing) -> Iterable[Metric]:
    waiting = now.jobs_by_state.get(JobState.QUEUED, 0)
    waited = (now.now - now.oldest_waiting).total_seconds() if now.oldest_waiting else 0.0
    return (
        _gauge("workers", "Workers with a recent heartbeat.", now.workers),
        _gauge("queue_length", "Jobs that wait for a worker.", waiting),
        _gauge("queue_oldest_seconds", "Age of the oldest job that waits.", waited),
        _gauge("disk_free_bytes", "Free space of the data directory.", now.disk_free_bytes),
        _gauge("disk_total_bytes", "Size of the data directory's disk.", now.disk_total_bytes),
        _gauge("conflicts", "Instances set aside: known UID, other content.", now.conflicts),
    )


def _admission_metric(site: Site, now: Standing) -> Metric:
    text = "Age of the oldest instance that was received and is not in the index."
    return _gauge("admission_wait_seconds", text, waited(site.spool, now.now).total_seconds())


def _state_metrics(connection: Connection, now: Standing) -> Iterator[Metric]:
    family = GaugeMetricFamily(PREFIX + "jobs", "Jobs by state.", labels=["state"])
    for state in JobState:
        family.add_metric([str(state)], now.jobs_by_state.get(state, 0))
    yield family
    for table, name, text in (
        (series, "series", "Series by state."),
        (commitments, "commitments", "Storage commitment transactions by state."),
    ):
        family = GaugeMetricFamily(PREFIX + name, text, labels=["state"])
        for found, count in counts_by_state(connection, table).items():
            family.add_metric([found], count)
        yield family


def _counter_metrics(connection: Connection) -> Iterator[Metric]:
    """The running totals that the other processes keep."""
    totals = read_counts(connection)
    yield CounterMetricFamily(
        PREFIX + "instances_received", "Instances received.", value=instances_received(totals)
    )
    yield CounterMetricFamily(
        PREFIX + "associations_refused", "Callers turned away.", value=associations_refused(totals)
    )
    by_name: dict[str, dict[str, int]] = defaultdict(dict)
    for (name, label), value in totals.items():
        by_name[name][label] = value
    for name, by_label in sorted(by_name.items()):
        text = f"Running total of {name.replace('_', ' ')} by kind."
        family = CounterMetricFamily(PREFIX + name, text, labels=["kind"])
        for label, value in sorted(by_label.items()):
            family.add_metric([label], value)
        yield family


def _step_metrics(connection: Connection) -> Iterator[Metric]:
    query = (
        sa.select(jobs.c.timings)
        .where(jobs.c.finished.is_not(None))
        .order_by(jobs.c.finished.desc())
        .limit(JOBS_LOOKED_AT)
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    for timings in connection.scalars(query):
        for step, value in timings.items():
            seconds[step].append(float(value))
    text = f"Seconds of a step: median and maximum of the last {JOBS_LOOKED_AT} finished jobs."
    family = GaugeMetricFamily(PREFIX + "step_seconds", text, labels=["step", "figure"])
    for step, values in sorted(seconds.items()):
        family.add_metric([step, "median"], statistics.median(values))
        family.add_metric([step, "maximum"], max(values))
    yield family


def _age_metrics(connection: Connection, now: Standing) -> Iterator[Metric]:
    text = "Seconds since each known worker's last heartbeat."
    family = GaugeMetricFamily(PREFIX + "worker_heartbeat_age_seconds", text, labels=["worker"])
    query = sa.select(executors.c.executor_id, executors.c.heartbeat)
    for row in connection.execute(query.where(executors.c.heartbeat > now.now - REMEMBERED)):
        age = (now.now - row.heartbeat.astimezone(UTC)).total_seconds()
        family.add_metric([row.executor_id], age)
    yield family
    newest = connection.scalar(sa.select(sa.func.max(series.c.last_received)))
    if newest is not None:
        age = (datetime.now(UTC) - newest).total_seconds()
        yield _gauge("last_received_age_seconds", "Seconds since the last instance came.", age)
