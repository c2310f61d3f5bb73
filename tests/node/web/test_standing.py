"""How the node stands: what is low, late or dead is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx

from node.database.tables import conflicts
from node.web.standing import associations_refused, standing
from tests.node.web.conftest import MakeJob, SendSeries
from tests.node.web.world import World


def test_a_job_that_waits_long_is_seen(world: World, make_job: MakeJob) -> None:
    created = make_job().created
    with world.database.connect() as connection:
        assert not standing(connection, world.config, created).waits_long
        late = standing(connection, world.config, created + timedelta(minutes=6))
    assert late.waits_long
    assert late.oldest_waiting == created


def test_a_disk_that_is_nearly_full_is_seen(world: World) -> None:
    with world.database.connect() as connection:
        now = standing(connection, world.config)
        assert not now.disk_is_low
        node = world.config.node.model_copy(update={"min_free_bytes": now.disk_free_bytes})
        config = world.config.model_copy(update={"node": node})
        assert standing(connection, config).disk_is_low
    assert replace(now, disk_free_bytes=199, min_free_bytes=100).disk_is_low  # nearly so
    assert not replace(now, disk_free_bytes=200, min_free_bytes=100).disk_is_low


def test_a_data_directory_that_is_not_there_yet_has_a_disk(world: World) -> None:
    node = world.config.node
    node = node.model_copy(update={"data_dir": node.data_dir / "not" / "yet"})
    with world.database.connect() as connection:
        config = world.config.model_copy(update={"node": node})
        assert standing(connection, config).disk_total_bytes > 0


def test_callers_that_were_turned_away_are_counted() -> None:
    outcomes = {("associations", "REFUSED"): 2, ("associations", "NO_TLS"): 3}
    assert associations_refused({**outcomes, ("associations", "RELEASED"): 90}) == 5
    assert associations_refused({}) == 0


def test_the_page_of_the_node_names_peers_routes_and_what_is_wrong(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    page = client.get("/node").text
    assert "no image from it yet" in page
    assert "No worker has given a sign of life" in page
    uid = send_series()
    send_series(source_ae="OLD_CT")
    row = {"sop_instance_uid": "1.2", "series_instance_uid": uid, "source_ae": "PACS"}
    row |= {"path": "conflicts/1.2", "sha256": "ab"}
    with world.database.begin() as connection:
        connection.execute(conflicts.insert().values(received=datetime.now(UTC), **row))
    world.beat()
    page = client.get("/node").text
    assert "PACS, 127.0.0.1 port 4242" in page
    assert "no image from it yet" not in page
    assert "OLD_CT</th><td>not a peer" in page
    assert "ldct_denoise<br><small>to pacs" in page
    assert "No worker has given a sign of life" not in page
    assert f'href="/series/{uid}"' in page


def test_only_recent_heartbeats_count(world: World) -> None:
    with world.database.connect() as connection:
        assert standing(connection, world.config).workers == 0
    world.beat(0, "alive")
    world.beat(world.config.jobs.lost_after_s + 5, "dead")
    with world.database.connect() as connection:
        assert standing(connection, world.config).workers == 1


def test_second_contents_are_counted(world: World) -> None:
    uids = {"sop_instance_uid": "1.2", "series_instance_uid": "1.3", "source_ae": "PACS"}
    with world.database.begin() as connection:
        assert standing(connection, world.config).conflicts == 0
        row = {**uids, "received": datetime.now(UTC), "path": "conflicts/1.2", "sha256": "ab"}
        connection.execute(conflicts.insert().values(row))
        assert standing(connection, world.config).conflicts == 1
