"""Fixtures of the dispatch tests: instances to send, and a real Orthanc for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.dispatch.outgoing import Outgoing, read_outgoing
from tests.servers import OrthancServer, run_orthanc
from tests.synthetic import write_ct_series


@pytest.fixture
def instances(tmp_path: Path) -> list[Outgoing]:
    return [read_outgoing(path) for path in write_ct_series(tmp_path / "ct", slices=6)]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    with run_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server
