"""What people may do: retry, cancel, release, force complete; and when they may not."""

from __future__ import annotations

import httpx
import sqlalchemy as sa

from node.database.tables import series
from tests.node.web.conftest import MakeJob, SendSeries, refusal
from tests.node.web.world import World


def test_a_job_is_cancelled_and_retried(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    assert client.post(f"/api/jobs/{job.id}/cancel").json()["state"] == "CANCELLED"
    again = client.post(f"/api/jobs/{job.id}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "QUEUED")
    assert world.ledger.require(job.id).run == job.run + 1


def test_a_held_job_is_released(client: httpx.Client, world: World, make_job: MakeJob) -> None:
    job = make_job()
    world.finish(job, "HELD", "RED")
    assert client.post(f"/api/jobs/{job.id}/retry").status_code == 409
    assert client.post(f"/api/jobs/{job.id}/release").json()["state"] == "QUEUED"
    assert world.ledger.require(job.id).accept_held


def test_the_wrong_state_is_a_409_and_an_unknown_action_a_404(
    client: httpx.Client, make_job: MakeJob
) -> None:
    job = make_job()
    for action in ("retry", "release"):
        answer = client.post(f"/api/jobs/{job.id}/{action}")
        assert answer.status_code == 409
        assert "QUEUED" in refusal(answer)
    assert client.post(f"/api/jobs/{job.id}/destroy").status_code == 404


def test_a_series_is_forced_complete_once(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid = send_series()
    assert client.post(f"/api/series/{uid}/complete").status_code == 200
    with world.database.connect() as connection:
        assert connection.scalar(sa.select(series.c.force_complete)) is True
    world.assemble()
    assert client.get(f"/api/series/{uid}").json()["evidence"]["kind"] == "forced"
    answer = client.post(f"/api/series/{uid}/complete")
    assert answer.status_code == 409
    assert "complete already" in refusal(answer)
