"""Fixtures that every test may use: development data and real servers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from tests.servers import OrthancServer, run_orthanc, run_postgresql

# A busy machine is no fault of what is tested; tests that hang end by their own time-outs.
hypothesis.settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any_machine")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the checkout; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data (../shared/data) is not here")
    return SHARED_DATA


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancServer]:
    """A fresh, real Orthanc; `orthanc.our_port` is where it finds us."""
    with run_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a real PostgreSQL server that lasts the session."""
    with run_postgresql() as url:
        yield url


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """URL of a fresh database: what DBOS recorded for another test is none of this one's."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either_database(request: pytest.FixtureRequest) -> str:
    """What `node.database` says: SQLite, and in its turn a real PostgreSQL."""
    if request.param == "sqlite":
        return "sqlite"
    return str(request.getfixturevalue("postgresql"))
