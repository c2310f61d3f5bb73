"""A reader at work in a real browser: real pixels, windowed there; scroll, judge, come back."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page, expect

from node.reading.folder import ReadingFolder
from node.reading.making import MadeReading
from tests.node.reading.patients import patients, reading_of
from tests.node.web.test_chromium import LOW_CONTRAST, PHONE, browser, complaints, page
from tests.node.web.world import World
from tests.servers import wait_until

pytestmark = pytest.mark.chromium
__all__ = ["browser", "complaints", "page"]  # fixtures


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patients")
    patients(folder)
    return folder


@pytest.fixture
def made(world: World, dicom: Path, tmp_path: Path) -> MadeReading:
    root = world.config.node.data_dir / "readings"
    return reading_of(dicom, root, tmp_path / "chest-1.key")


@pytest.fixture
def folder(world: World, made: MadeReading) -> ReadingFolder:
    return ReadingFolder(world.config.node.data_dir / "readings" / made.study.name)


@pytest.fixture
def reader(made: MadeReading) -> str:
    return f"/readings/chest-1/{made.links['R1']}"


def begin(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#reading")).to_have_attribute("data-loaded", "1")


def shown(page: Page) -> npt.NDArray[np.uint8]:
    """The grey values on the canvas, (rows, columns); they must be grey and opaque."""
    flat = page.evaluate(
        "() => { const c = document.querySelector('canvas');"
        " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }"
    )
    rgba = np.array(flat, dtype=np.uint8).reshape(64, 64, 4)
    assert (rgba[..., 3] == 255).all()
    assert (rgba[..., 0] == rgba[..., 1]).all()
    assert (rgba[..., 0] == rgba[..., 2]).all()
    grey: npt.NDArray[np.uint8] = rgba[..., 0]
    return grey


def wanted(
    folder: ReadingFolder, position: int, number: int, centre: float, width: float
) -> npt.NDArray[np.uint8]:
    """The slice in a window by the formula of PS3.3 C.11.2.1.2.1, (rows, columns)."""
    case = folder.study.case_at("R1", position)
    hu = np.frombuffer(folder.slice_pixels(case, number), dtype="<u2").reshape(64, 64) - 1024.0
    share = (hu - (centre - 0.5)) / (width - 1) + 0.5
    grey: npt.NDArray[np.uint8] = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
    return grey


def becomes(page: Page, picture: npt.NDArray[np.uint8]) -> None:
    """Wait until the canvas shows it: the page draws when the browser has a frame to draw."""
    wait_until(lambda: same(shown(page), picture), what="the picture")


def same(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> bool:
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= 1)


def test_without_javascript_the_page_says_why_it_is_black(
    browser: Browser, client: httpx.Client, reader: str
) -> None:
    context = browser.new_context(base_url=str(client.base_url), java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{reader}/1")
    expect(plain.locator("noscript p")).to_be_visible()
    assert plain.evaluate(LOW_CONTRAST) == []
    context.close()


def test_slices_are_windowed_in_the_browser(page: Page, reader: str, folder: ReadingFolder) -> None:
    begin(page, f"{reader}/1")
    canvas = page.locator("canvas")
    becomes(page, wanted(folder, 1, 3, 50, 400))
    canvas.hover()
    page.mouse.wheel(0, 100)
    expect(page.locator("#slice-number")).to_have_text("4")
    becomes(page, wanted(folder, 1, 4, 50, 400))
    canvas.press("ArrowUp")
    canvas.press("ArrowUp")
    becomes(page, wanted(folder, 1, 2, 50, 400))
    page.locator("#slice").fill("6")
    page.get_by_role("button", name="Lung").click()
    becomes(page, wanted(folder, 1, 6, -600, 1500))
    expect(page.get_by_role("button", name="Lung")).to_have_attribute("aria-pressed", "true")
    # Bone at 700 HU is white in every soft window and has shades here: nothing was cut to 8 bits.
    page.locator("#centre").fill("700")
    page.locator("#width").fill("100")
    becomes(page, wanted(folder, 1, 6, 700, 100))
    assert len(np.unique(shown(page))) > 8  # 8 bits for all of CT would leave 6


def test_dragging_changes_the_window_and_the_pointer_reads_values(
    page: Page, reader: str, folder: ReadingFolder
) -> None:
    begin(page, f"{reader}/1")
    box = page.locator("canvas").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    middle = folder.slice_pixels(folder.study.case_at("R1", 1), 3)
    value = int(np.frombuffer(middle, dtype="<u2").reshape(64, 64)[32, 32]) - 1024
    expect(page.locator("#probe")).to_have_text(str(value))
    page.mouse.down()
    page.mouse.move(x + 75, y - 30)
    page.mouse.up()
    assert page.locator("#width").input_value() == "500"  # 400 + 75 x 400 / 300
    assert page.locator("#centre").input_value() == "10"
    becomes(page, wanted(folder, 1, 3, 10, 500))
    page.mouse.move(x, y)
    assert page.locator("#width").input_value() == "500"
    expect(page.locator("#slice-number")).to_have_text("3")


def test_the_picture_can_be_enlarged_and_moved(page: Page, reader: str) -> None:
    begin(page, f"{reader}/1")
    box = page.locator(".view").bounding_box()
    assert box
    page.get_by_role("button", name="Enlarge").click()
    expect(page.get_by_role("button", name="Enlarge")).to_have_attribute("aria-pressed", "true")
    canvas = page.locator("canvas").bounding_box()
    assert canvas
    assert canvas["width"] == pytest.approx(2.5 * box["width"], rel=0.05)
    x, y = box["x"] + 200, box["y"] + 200
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    scrolled = page.evaluate(
        "() => { const v = document.querySelector('.view'); return [v.scrollLeft, v.scrollTop]; }"
    )
    assert scrolled == [60, 40]
    assert page.locator("#width").input_value() == "400"


def test_a_reader_answers_leaves_and_resumes(
    page: Page, reader: str, folder: ReadingFolder
) -> None:
    page.goto(reader)
    expect(page).to_have_title("Case 1 · Chest")
    page.get_by_label("Synthetic", exact=True).check()
    page.get_by_text("Why?").click()
    page.get_by_label("Asymmetric ribs").check()
    page.get_by_label("In your own words").fill("links fehlt eine Rippe")
    page.get_by_role("button", name="Save, next case").click()
    expect(page).to_have_title("Case 2 · Chest")
    kept = folder.answers.latest("R1")[folder.study.case_at("R1", 1)]
    assert (kept.judgement, kept.tags) == ("synthetic", ("rib_asymmetry",))
    assert kept.reason == "links fehlt eine Rippe"
    assert 0 < kept.seconds < 600
    page.goto("about:blank")
    page.goto(reader)
    expect(page).to_have_title("Case 2 · Chest")
    page.get_by_role("link", name="Case 1, judged", exact=True).click()
    expect(page.locator("input[value=synthetic]")).to_be_checked()
    expect(page.get_by_label("Asymmetric ribs")).to_be_checked()
    page.get_by_label("Cannot tell", exact=True).check()
    page.get_by_role("button", name="Change the answer, next case").click()
    for position in (2, 3, 4):
        expect(page).to_have_title(f"Case {position} · Chest")
        page.get_by_label("Real", exact=True).check()
        page.get_by_role("button", name="Save, next case").click()
    expect(page.get_by_text("All 4 cases are judged")).to_be_visible()
    said = [folder.answers.latest("R1")[case].judgement for case in folder.study.order_of("R1")]
    assert said == ["cannot_tell", "real", "real", "real"]


def test_no_answer_is_sent_without_a_judgement(
    page: Page, reader: str, folder: ReadingFolder
) -> None:
    begin(page, f"{reader}/1")
    page.get_by_role("button", name="Save, next case").click()
    expect(page.locator("input[value=real]")).to_be_focused()
    assert folder.answers.latest("R1") == {}


def test_missing_images_are_told(
    page: Page, reader: str, folder: ReadingFolder, complaints: list[str]
) -> None:
    page.route("**/1/2", lambda route: route.abort())
    page.goto(f"{reader}/1")
    expect(page.get_by_text("The images did not come from the node")).to_be_visible()
    complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_every_text_has_contrast(
    page: Page, reader: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in ("/readings", "/readings/chest-1", f"{reader}/2", f"{reader}/end"):
        page.goto(path)
        if page.locator("details").count():
            page.get_by_text("Why?").click()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
        assert page.evaluate(LOW_CONTRAST) == [], path
