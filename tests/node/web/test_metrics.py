"""Prometheus can read it, the figures are those of the tables, and no patient is in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from node.counters import add_counts
from node.database.tables import jobs, series
from tests.node.query_plans import asked
from tests.node.web.conftest import SendSeries
from tests.node.web.world import TIMINGS, World


def scrape(client: httpx.Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[(sample.name, *sorted(sample.labels.values()))] = sample.value
    return found


def test_an_empty_node_has_its_figures(client: httpx.Client) -> None:
    found = scrape(client)
    for name in (
        "workers",
        "queue_length",
        "admission_wait_seconds",
        "associations_refused_total",
        "conflicts",
    ):
        assert found[f"vscanner_{name}",] == 0
    assert found["vscanner_disk_free_bytes",] > 0
    assert found["vscanner_jobs", "COMMITTED"] == found["vscanner_queue_oldest_seconds",] == 0
    assert ("vscanner_last_received_age_seconds",) not in found


def test_a_scrape_reads_few_of_all_jobs(client: httpx.Client, world: World) -> None:
    with asked(world.database) as plans:
        scrape(client)
    assert any("ix_jobs_finished" in step for step in plans)
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plans)


def test_the_figures_are_those_of_the_tables(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uids = [send_series() for _ in range(3)]
    world.assemble()
    world.finish(world.job_of(uids[0]))
    world.beat()
    with world.database.begin() as connection:
        add_counts(connection, {("associations", "REFUSED"): 3, ("associations", "NO_TLS"): 1})
        kept = connection.scalar(sa.select(sa.func.sum(series.c.instance_count)))
    found = scrape(client)
    assert found["vscanner_instances_received_total",] == kept == 15
    assert found["vscanner_associations_refused_total",] == 4
    assert found["vscanner_associations_total", "REFUSED"] == 3
    assert found["vscanner_jobs", "QUEUED"] == found["vscanner_queue_length",] == 2
    assert found["vscanner_jobs", "COMMITTED"] == 1
    assert found["vscanner_series", "ROUTED"] == 3
    assert found["vscanner_workers",] == 1
    for step, seconds in TIMINGS.items():
        for figure in ("median", "maximum"):
            assert found[("vscanner_step_seconds", *sorted((step, figure)))] == seconds
    for name in ("queue_oldest_seconds", "last_received_age_seconds"):
        assert found[f"vscanner_{name}",] >= 0
    text = client.get("/metrics").text  # rules of alarms go by the names of labels
    for line in ('jobs{state="COMMITTED"} 1.0', 'associations_total{kind="REFUSED"} 3.0'):
        assert f"vscanner_{line}" in text
    assert 'vscanner_worker_heartbeat_age_seconds{worker="' in text
    assert 'vscanner_step_seconds{figure="median",step="' in text
    assert not [key for key in found if any(uid in key for uid in uids)]


def test_ages_and_times_are_those_of_several(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uids = [send_series() for _ in range(3)]
    world.assemble()
    for uid, factor in zip(uids[:2], (1, 3), strict=True):
        job = world.job_of(uid)
        world.finish(job)
        times = {step: factor * seconds for step, seconds in TIMINGS.items()}
        world.ledger.update(job.id, timings=times)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with world.database.begin() as connection:
        waiting = sa.update(jobs).where(jobs.c.state == "QUEUED")
        connection.execute(waiting.values(created=an_hour_ago))
        connection.execute(sa.update(series).values(last_received=an_hour_ago))
    world.beat(100, "slow")
    world.beat(2 * 86_400, "gone")
    found = scrape(client)
    for step, seconds in TIMINGS.items():
        assert found[("vscanner_step_seconds", *sorted((step, "median")))] == 2 * seconds
        assert found[("vscanner_step_seconds", *sorted((step, "maximum")))] == 3 * seconds
    for name in ("queue_oldest_seconds", "last_received_age_seconds"):
        assert 3600 <= found[f"vscanner_{name}",] < 7200
    assert 100 <= found["vscanner_worker_heartbeat_age_seconds", "slow"] < 3600
    assert ("vscanner_worker_heartbeat_age_seconds", "gone") not in found
