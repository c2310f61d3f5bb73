"""The application: its routes, its answers to what it does not know, its static files."""

from __future__ import annotations

import re

import httpx
import pytest
import sqlalchemy as sa

from node.database.tables import database_url
from tests.node.query_plans import asked
from tests.node.web.conftest import SendSeries, refusal, serving
from tests.node.web.world import World


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/jobs", 405),
        ("GET", "/dicom-web/studies", 405),
        ("DELETE", "/api/jobs/1", 405),
        ("GET", "/api/unknown", 404),
    ],
)
def test_machines_get_json(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert refusal(answer)


def test_static_files_are_all_ours(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    for path, kind in (
        ("style.css", "text/css"),
        ("page.js", "javascript"),
        ("htmx.min.js", "javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = client.get(f"/static/{path}")
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
    assert client.get("/static/../app.py").status_code == 404


@pytest.mark.parametrize("path", ["/", "/?show=attention", "/node", "/metrics"])
def test_what_is_asked_again_and_again_reads_no_row_of_all_that_is_remembered(
    client: httpx.Client, world: World, send_series: SendSeries, path: str
) -> None:
    send_series()
    world.assemble()
    with asked(world.database) as steps:
        assert client.get(path).status_code == 200
    of_all = re.compile(r"SCAN (series|jobs|instances)\b(?!.* COVERING INDEX)")
    without_index = re.compile(r"SEARCH (series|jobs|instances)$")
    assert [step for step in steps if of_all.match(step) or without_index.match(step)] == []


def test_our_own_fault_is_a_500_without_details(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    send_series()
    with world.database.begin() as connection:
        connection.execute(sa.text("UPDATE series SET evidence = 'no JSON'"))
    for path in ("/", "/api/studies"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "its log says why" in answer.text
        assert "sqlite" not in answer.text


def test_a_database_that_hangs_is_waited_for_like_one_that_is_away(world: World) -> None:
    """All connections wait for its answers, so none comes free for this request."""
    busy = sa.create_engine(
        database_url(world.config.node),
        poolclass=sa.pool.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.1,
    )
    with busy.connect(), serving(world.config, busy) as client:
        for path in ("/", "/api/jobs", "/metrics"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/health/ready").status_code == 503
    busy.dispose()
