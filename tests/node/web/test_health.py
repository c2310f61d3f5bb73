"""Ready means: database, data directory, receiver, assembler, worker, each tried for real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from node.database.tables import open_database
from node.web import admission
from node.web.health import own_address
from tests.node.web.conftest import serving
from tests.node.web.world import World, make_config
from tests.servers import run_postgresql
from tests.synthetic import write_ct_series


@pytest.fixture
def receiver(world: World) -> Iterator[socket.socket]:
    """Somebody who listens on the DICOM port."""
    with socket.create_server(("127.0.0.1", world.config.node.port)) as listener:
        yield listener


def test_alive_needs_nothing_else(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_ready_when_all_parts_work(
    client: httpx.Client, world: World, receiver: socket.socket, path: str
) -> None:
    world.beat()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["parts"].values()) == {"ok"}


def failing(client: httpx.Client) -> set[str]:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    return {name for name, found in answer.json()["parts"].items() if found != "ok"}


def test_not_ready_without_a_receiver(client: httpx.Client, world: World) -> None:
    world.beat()
    assert failing(client) == {"receiver"}


def test_not_ready_while_nobody_takes_images_in(
    client: httpx.Client, world: World, receiver: socket.socket, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    world.beat()
    world.receive(write_ct_series(tmp_path / "ct", slices=1), admit=False)
    assert client.get("/health/ready").status_code == 200
    monkeypatch.setattr(admission, "STANDS_STILL", timedelta(0))
    assert failing(client) == {"assembler"}
    assert "nobody has taken them in" in client.get("/").text
    assert "nobody has taken them in" in client.get("/node").text


def test_not_ready_without_a_live_worker(
    client: httpx.Client, world: World, receiver: socket.socket
) -> None:
    assert failing(client) == {"worker"}
    world.beat(age_s=world.config.jobs.lost_after_s + 1)
    assert failing(client) == {"worker"}
    world.beat(age_s=1, name="another")
    assert client.get("/health/ready").status_code == 200


def test_not_ready_without_a_data_directory(
    tmp_path: Path, world: World, client: httpx.Client, receiver: socket.socket
) -> None:
    world.beat()
    database = world.config.node.data_dir
    moved = tmp_path / "moved"
    database.rename(moved)
    try:
        assert "data_dir" in failing(client)
    finally:
        moved.rename(database)


@pytest.mark.postgresql
def test_not_ready_without_the_database(tmp_path: Path) -> None:
    """The database was there when the page started, and then is gone."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with run_postgresql() as url:
        plain = make_config(data_dir)
        config = plain.model_copy(update={"node": plain.node.model_copy(update={"database": url})})
        database = open_database(config.node)
        running = serving(config, database)
        client = running.__enter__()
        assert failing(client) == {"receiver", "worker"}
        with database.connect() as connection:
            change = "ALTER ROLE vscanner SET default_transaction_read_only = on"
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(change)
        database.dispose()  # new connections are as those to a standby
        assert failing(client) == {"database", "receiver", "worker"}
        assert "read only" in client.get("/health").json()["parts"]["database"]
        database.dispose()  # PostgreSQL would wait for our idle connections
    try:
        assert failing(client) == {"database", "receiver", "worker"}
        assert client.get("/").status_code == 503
        assert client.get("/health/live").status_code == 200
    finally:
        running.__exit__(None, None, None)
        database.dispose()


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3"), ("here", "here")],
)
def test_where_we_reach_ourselves(host: str, wanted: str) -> None:
    assert own_address(host) == wanted
