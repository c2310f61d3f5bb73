"""A node's data and its web server on loopback."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from node.config import Config
from node.jobs.ledger import Job
from node.web.server import make_server
from tests.node.web.world import World
from tests.servers import wait_until
from tests.synthetic import write_ct_series


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "data")
    yield made
    made.close()


@contextlib.contextmanager
def serving(config: Config, database: Engine) -> Iterator[httpx.Client]:
    """A client of a running web server."""
    server = make_server(config, database)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), what="the web server")
    address = f"http://127.0.0.1:{config.web.port}"
    try:
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as made:
            yield made
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    with serving(world.config, world.database) as made:
        yield made


SendSeries = Callable[..., str]


@pytest.fixture
def send_series(world: World, tmp_path: Path) -> SendSeries:
    """Receive a phantom series; returns its Series Instance UID."""
    count = iter(range(1000))

    def send(source_ae: str = "PACS", **attributes: Any) -> str:
        folder = tmp_path / f"sent-{next(count)}"
        return world.receive(write_ct_series(folder, **{"slices": 5, **attributes}), source_ae)

    return send


MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(world: World, send_series: SendSeries) -> MakeJob:
    """Receive a phantom series that a rule takes; returns its job, which nobody has begun."""

    def make(**attributes: Any) -> Job:
        uid = send_series(**attributes)
        world.assemble()
        return world.job_of(uid)

    return make


def refusal(answer: httpx.Response) -> str:
    """The sentence of an answer that is a refusal."""
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    assert set(found) == {"detail"}
    return str(found["detail"])
