"""axe-core over the pages in a real browser: it finds nothing, however small."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.node.reading.patients import patients, reading_of
from tests.node.web.conftest import SendSeries
from tests.node.web.test_chromium import PHONE, browser, complaints, page
from tests.node.web.world import World

pytestmark = pytest.mark.chromium
__all__ = ["browser", "complaints", "page"]  # fixtures

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.map((each) => [each.impact, each.id,
    each.nodes.slice(0, 5).map((node) => node.target.join(" ") + ": " + node.failureSummary)]);
}"""


def violations(page: Page, path: str) -> list[object]:
    """What axe-core finds on a page: impact, rule, and where."""
    page.goto(path)
    page.evaluate(AXE)
    found: list[object] = page.evaluate(RUN)
    return found


@pytest.fixture
def everywhere(page: Page) -> Callable[..., list[object]]:
    """What is found on pages: all in light on a screen, the last three in dark on a phone too."""

    def look(*paths: str) -> list[object]:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 900})
        found: list[object] = [(path, each) for path in paths for each in violations(page, path)]
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        found += [("dark", path, each) for path in paths[-3:] for each in violations(page, path)]
        return found

    return look


def test_pages_of_studies_series_and_jobs(
    everywhere: Callable[..., list[object]], world: World, send_series: SendSeries
) -> None:
    done, refused = send_series(slices=9), send_series(BodyPartExamined="HEAD")
    running, nobody = send_series(), send_series(series_description="PORTAL VENOUS")
    world.assemble()
    job = world.job_of(done)
    world.finish(job)
    world.start(world.job_of(running))
    assert world.job_of(refused).state == "REFUSED"
    arriving = send_series()
    found = everywhere(
        *("/?show=attention", f"/studies/{job.study_instance_uid}"),
        *(f"/series/{uid}" for uid in (refused, nobody, arriving)),
        *(f"/jobs/{world.job_of(uid).id}" for uid in (running, refused, done)),
        *("/node", "/"),
    )
    assert found == []


def test_pages_of_a_blind_reading(
    everywhere: Callable[..., list[object]], page: Page, world: World, tmp_path: Path
) -> None:
    patients(tmp_path / "patients")
    root = world.config.node.data_dir / "readings"
    made = reading_of(tmp_path / "patients", root, tmp_path / "chest-1.key")
    reader = f"/readings/chest-1/{made.links['R1']}"
    assert everywhere("/readings", "/readings/chest-1", f"{reader}/2", f"{reader}/end") == []
    page.goto(f"{reader}/2")
    page.get_by_text("Why?").click()
    expect(page.get_by_label("In your own words")).to_be_visible()
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []


def test_a_page_that_is_not_there(
    everywhere: Callable[..., list[object]], complaints: list[str]
) -> None:
    assert everywhere("/studies/1.2.3") == []
    complaints.clear()  # the browser says that it got a 404
