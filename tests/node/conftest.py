"""A node of one route on a database of its own, without processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from node.config import Config
from node.database.tables import open_database
from node.spool import Spool
from tests.node.feeding import make_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration that is quick, with one route."""
    return make_config(tmp_path)


@pytest.fixture
def database(config: Config) -> Iterator[Engine]:
    """Its tables, on SQLite."""
    engine = open_database(config.node)
    yield engine
    engine.dispose()


@pytest.fixture
def spool(config: Config, database: Engine) -> Spool:
    """Its spool, empty."""
    return Spool(config.node.data_dir, database)
