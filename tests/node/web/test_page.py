"""A page that stays new, and the words of the filters."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from dicom_profiles.equipment import SOFTWARE_VERSION
from node.web import page
from node.web.page import ago, clock, figure, seconds, size, time_zone, title_of
from tests.node.web.conftest import MakeJob
from tests.node.web.world import World

HTMX = {"hx-request": "true"}
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def live_address(page: str) -> str:
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found
    return html.unescape(found[1])


def test_a_page_comes_again_only_when_it_changed(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.start(job, progress=0.25)
    address = live_address(client.get(f"/jobs/{job.id}?window=bone").text)
    assert "window=bone" in address
    same = client.get(address, headers=HTMX)
    assert (same.status_code, same.content) == (204, b"")
    world.ledger.update(job.id, progress=0.5)
    changed = client.get(address, headers=HTMX)
    assert changed.status_code == 200
    assert "50 %" in changed.text
    assert client.get(live_address(changed.text), headers=HTMX).status_code == 204


def test_the_page_is_loaded_anew_when_pictures_appear(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    address = live_address(client.get(f"/jobs/{job.id}").text)
    world.finish(job)
    assert client.get(address, headers=HTMX).headers["hx-refresh"] == "true"
    address = live_address(client.get(f"/jobs/{job.id}").text)
    assert "hx-refresh" not in client.get(address, headers=HTMX).headers


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (-5, "just now"),
        (9, "just now"),
        (10, "10 seconds ago"),
        (38, "30 seconds ago"),
        (59, "50 seconds ago"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (7_300, "2 hours ago"),
        (86_400, "1 day ago"),
    ],
)
def test_ago(passed: int, words: str) -> None:
    assert ago(NOW - timedelta(seconds=passed), NOW) == words


@pytest.mark.parametrize(
    ("zone", "wanted"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET, UTC+01:00"),
        ("<-0330>3:30", "UTC-03:30"),
        ("UTC", "UTC"),
    ],
)
def test_the_footer_names_the_zone_of_all_times(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, zone: str, wanted: str
) -> None:
    try:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert time_zone(NOW) == wanted
        assert f"Times are those of this node ({time_zone()})" in client.get("/").text
    finally:
        monkeypatch.undo()
        time.tzset()


def test_browsers_fetch_static_files_anew_when_they_have_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "STATIC", tmp_path)
    versions = []
    for content in ("red", "blue", "red"):
        (tmp_path / "style.css").write_text(content)
        versions.append(page.make_templates().globals["static_version"])
    assert versions[0] == versions[2] != versions[1]


def test_words_of_figures() -> None:
    assert [seconds(v) for v in (None, 0.04, 2.345, 125)] == ["", "40 ms", "2.3 s", "2 min 5 s"]
    assert [size(v) for v in (12, 1500, 2.5e9, 3e15)] == ["12 B", "1.5 kB", "2.5 GB", "3000.0 TB"]
    assert [seconds(v) for v in (0.1, 59.94, 60)] == ["0.1 s", "59.9 s", "1 min 0 s"]
    assert [size(v) for v in (0, 999, 1000, 1e12)] == ["0 B", "999 B", "1.0 kB", "1.0 TB"]
    assert [figure(v) for v in (1.23456, 7, True, "x")] == ["1.235", "7", "yes", "x"]
    assert [figure(v) for v in (None, False)] == ["no number", "no"]
    assert [title_of(n) for n in ("noise_before_hu", "slices", "hu")] == [
        "Noise before (HU)",
        "Slices",
        "Hu",
    ]
    assert re.fullmatch(r"2026-03-1\d \d\d:\d\d:\d\d", clock(NOW))


def test_the_footer_names_the_version_for_who_asks_for_help(client: httpx.Client) -> None:
    footer = client.get("/").text.split("<footer")[1]
    assert SOFTWARE_VERSION in footer
