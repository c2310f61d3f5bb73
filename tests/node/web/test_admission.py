from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from node.web import admission
from node.web.admission import standstill, waited
from tests.node.web.world import World
from tests.synthetic import write_ct_series


@pytest.fixture
def just_received(world: World, tmp_path: Path) -> str:
    """Series Instance UID of three images that the index does not know yet."""
    return world.receive(write_ct_series(tmp_path / "ct", slices=3), admit=False)


@pytest.fixture
def admits_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assembler admits one image each time that somebody waits."""
    monkeypatch.setattr(admission, "sleep", lambda _s: world.spool.admit_incoming(limit=1))


@pytest.mark.usefixtures("admits_meanwhile")
def test_a_series_is_known_as_soon_as_it_was_received(
    client: httpx.Client, just_received: str
) -> None:
    answer = client.get(f"/api/series/{just_received}")
    assert (answer.status_code, answer.json()["instance_count"]) == (200, 3)


@pytest.mark.usefixtures("admits_meanwhile")
def test_a_series_that_is_forced_complete_has_all_that_came_before(
    client: httpx.Client, world: World, just_received: str
) -> None:
    assert world.spool.admit_incoming(limit=1) == 1
    answer = client.post(f"/api/series/{just_received}/complete")
    assert (answer.status_code, answer.json()["instance_count"]) == (200, 3)


def test_where_nothing_is_admitted_nobody_waits_for_long(
    client: httpx.Client, just_received: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "LONGEST_S", 0.1)
    assert client.get(f"/api/series/{just_received}").status_code == 404


def test_images_that_nobody_takes_in_are_told(world: World, just_received: str) -> None:
    assert just_received
    soon, late = (datetime.now(UTC) + timedelta(seconds=after) for after in (50, 150))
    assert standstill(world.spool, soon) == ""
    assert "Images received 2 min ago are safe" in standstill(world.spool, late)
    assert waited(world.spool, late) > timedelta(seconds=149)
    while world.spool.admit_incoming():
        pass
    assert standstill(world.spool, late) == ""
    assert waited(world.spool, late) == timedelta(0)
