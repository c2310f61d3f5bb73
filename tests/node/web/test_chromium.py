"""The pages in a real browser: live, usable, quiet, and narrow enough for a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.node.web.conftest import MakeJob, SendSeries
from tests.node.web.world import World
from tests.servers import program

pytestmark = pytest.mark.chromium

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP vscanner 127.0.0.1",  # a name that is not this machine's own
]
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complains of on its console; must be empty at the end of a test."""
    return []


@pytest.fixture
def page(browser: Browser, client: httpx.Client, complaints: list[str]) -> Iterator[Page]:
    """A page at the node's address."""
    context = browser.new_context(base_url=str(client.base_url), reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    opened = context.new_page()

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    opened.on("console", listen)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def pixels(page: Page, kind: str) -> str:
    """Address and decoded size of a picture: it is shown, not only asked for."""
    picture = page.locator(f"img[data-kind={kind}]")
    page.wait_for_function(
        "kind => { const i = document.querySelector(`img[data-kind=${kind}]`);"
        " return i.complete && i.naturalWidth > 0; }",
        arg=kind,
    )
    source = picture.get_attribute("src")
    assert source
    return source


def test_the_overview_updates_by_itself(page: Page, world: World, send_series: SendSeries) -> None:
    page.goto("/")
    expect(page.get_by_text("Nothing has come in yet")).to_be_visible()
    uid = send_series()
    expect(page.get_by_role("link", name="LOW DOSE CHEST 3.0", exact=True)).to_be_visible()
    expect(page.locator(".chip")).to_have_text("Receiving")
    world.assemble()
    world.start(world.job_of(uid), progress=0.43)
    expect(page.locator(".chip")).to_have_text("Working")
    expect(page.get_by_text("Translate: 43 %")).to_be_visible()
    expect(page.locator(".strip .current")).to_have_attribute("aria-current", "step")
    world.finish(world.job_of(uid))
    expect(page.locator(".chip")).to_have_text("Done")


def test_retry_and_cancel_work(page: Page, world: World, make_job: MakeJob) -> None:
    job = make_job()
    page.goto(f"/jobs/{job.id}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".chip")).to_have_text("Cancelled")
    assert world.ledger.require(job.id).state == "CANCELLED"
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".chip")).to_have_text("Waiting")
    again = world.ledger.require(job.id)
    assert (again.state, again.run) == ("QUEUED", job.run + 1)


def test_the_search_finds_a_series_and_refuses_a_name(page: Page, send_series: SendSeries) -> None:
    uid = send_series(series_description="LOW DOSE WANTED")
    send_series(series_description="LOW DOSE OTHER")
    page.goto("/")
    page.get_by_text("Search", exact=True).first.click()
    field = page.get_by_label("UID or job")
    field.fill("DOE^JANE")
    page.get_by_role("button", name="Search").click()
    assert page.url.endswith("/")  # the browser does not even ask
    field.fill(uid[-12:] if "." in uid[-12:] else uid)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 study has all of what you look for.")).to_be_visible()
    expect(page.get_by_role("link", name="LOW DOSE WANTED", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="LOW DOSE OTHER", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name="LOW DOSE OTHER", exact=True)).to_be_visible()


def test_force_complete_works(page: Page, world: World, send_series: SendSeries) -> None:
    uid = send_series()
    page.goto(f"/series/{uid}")
    button = page.get_by_role("button", name="All images are here")
    ground = "e => getComputedStyle(e).backgroundColor"
    before = button.evaluate(ground)
    button.click()
    expect(button).to_be_disabled()
    assert button.evaluate(ground) != before  # and looks it
    world.assemble()
    expect(page.get_by_text("A person said that it is complete.").first).to_be_visible()


def test_slider_and_windows_change_the_pictures(
    page: Page, world: World, make_job: MakeJob
) -> None:
    job = make_job(slices=9, BodyPartExamined="ABDOMEN", series_description="LOW DOSE ABDOMEN")
    world.finish(job)
    page.goto(f"/jobs/{job.id}")
    assert pixels(page, "before").endswith("/before/5.png?window=soft")
    page.locator("#slice").fill("2")
    expect(page.locator("img[data-kind=after]")).to_have_attribute(
        "src", re.compile(r"/after/2\.png\?window=soft$")
    )
    page.locator("#slice").press("ArrowRight")
    expect(page.locator("#slice-number")).to_have_text("3")
    page.get_by_text("Bone 400").click()
    expect(page.locator("img[data-kind=difference]")).to_have_attribute(
        "src", re.compile(r"/difference/3\.png\?window=bone$")
    )
    pixels(page, "difference")
    page.locator("img[data-kind=before]").hover()
    page.mouse.wheel(0, 100)
    expect(page.locator("#slice-number")).to_have_text("4")


def test_a_click_on_the_whole_body_shows_the_slice_there(
    page: Page, world: World, make_job: MakeJob
) -> None:
    job = make_job(slices=10)
    world.write_pet(job, [0.5] * 9 + [7.0])
    page.goto(f"/jobs/{job.id}")
    body, line = page.locator("#projection"), page.locator("#level")
    page.wait_for_function("document.querySelector('#projection').naturalWidth > 0")
    box = body.bounding_box()
    assert box
    body.click(position={"x": box["width"] / 2, "y": box["height"] * 0.25})
    expect(page.locator("#slice-number")).to_have_text("8")  # the head is above
    expect(page.locator("img[data-kind=after]")).to_have_attribute(
        "src", re.compile(r"/after/8\.png\?window=suv7$")
    )
    box, place = body.bounding_box(), line.bounding_box()  # the page has scrolled
    assert box
    assert place
    assert place["y"] - box["y"] == pytest.approx(0.25 * box["height"], abs=2)
    page.get_by_role("radio", name="SUV 0 to 15").check()
    expect(body).to_have_attribute("src", re.compile(r"/projection\.png\?window=suv15$"))


def test_pictures_appear_when_the_result_is_written(
    page: Page, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    page.goto(f"/jobs/{job.id}")
    expect(page.locator("img[data-kind]")).to_have_count(1)
    world.finish(job)
    expect(page.locator("img[data-kind]")).to_have_count(3)
    pixels(page, "after")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone_and_every_text_has_contrast(
    page: Page, world: World, send_series: SendSeries, scheme: str
) -> None:
    long = "LOW DOSE " + "VERYLONGDESCRIPTIONWITHOUTSPACES" * 2
    uid, refused = send_series(series_description=long[:64]), send_series(BodyPartExamined="HEAD")
    send_series(series_description="PORTAL VENOUS")
    world.assemble()
    job = world.job_of(uid)
    world.finish(job)
    send_series()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    for path in (
        *("/", "/?state=COMMITTED", f"/studies/{job.study_instance_uid}", f"/jobs/{job.id}"),
        *(f"/series/{uid}", f"/series/{refused}"),
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
        assert page.evaluate(LOW_CONTRAST) == [], path


def test_all_text_grows_with_the_size_that_a_reader_has_set(
    browser: Browser, client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job, held = make_job(), make_job()
    world.finish(job, verdict="AMBER")
    world.finish(held, "HELD", "RED")
    arguments = [*ARGUMENTS, "--blink-settings=defaultFontSize=32"]  # twice the usual
    large = browser.browser_type.launch(executable_path=program("chromium"), args=arguments)
    page = large.new_page(base_url=str(client.base_url), viewport={"width": 1280, "height": 900})
    for width in (1280, 640, 380, 320):
        page.set_viewport_size({"width": width, "height": 900})
        for path in (
            *("/", f"/jobs/{job.id}", f"/series/{job.source_series[0]}"),
            *(f"/jobs/{held.id}", f"/series/{held.source_series[0]}", "/node", "/nothing"),
        ):
            page.goto(path)
            assert page.evaluate(SMALLEST_TEXT_PX) > 16, path
            assert page.evaluate("document.documentElement.scrollWidth") == width, path
            assert page.evaluate(TEXT_OUT_OF_ITS_TILE) == [], path
    large.close()


def test_a_condition_reads_well_on_a_phone(page: Page, world: World, make_job: MakeJob) -> None:
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto(f"/series/{make_job().source_series[0]}")
    keyword = page.get_by_role("cell", name="SeriesDescription", exact=True)
    box, line = keyword.bounding_box(), page.locator(".rule > p").first.bounding_box()
    assert box
    assert line
    assert box["height"] < 1.5 * LINE_PX  # in one piece
    assert box["width"] > 0.8 * line["width"]  # what is wanted and found stands below


def test_the_keyboard_reaches_everything(page: Page, send_series: SendSeries) -> None:
    uid = send_series()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {"/", "/?show=refused", f"/series/{uid}"} <= reached


def test_the_keyboard_goes_through_a_job_as_a_reader_does(
    page: Page, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    (uid,) = job.source_series
    one = {"series": uid, "label": "Axial MR", "instances": 5}
    world.ledger.update(job.id, evidence={"inputs": {"inputs": {"IP": one}}})
    page.goto(f"/jobs/{job.id}")
    cancel, slider = page.get_by_role("button", name="Cancel"), page.locator("#slice")
    facts = page.get_by_role("link", name="Axial MR")
    focused = "e => e === document.activeElement"
    order = []
    for _ in range(25):
        page.keyboard.press("Tab")
        order += [each for each in (cancel, slider, facts) if each.evaluate(focused)]
    assert order[:3] == [cancel, slider, facts]


def test_state_title_and_details_of_a_job_stay_new(
    page: Page, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    page.goto(f"/jobs/{job.id}")
    page.locator("#slice").press("ArrowRight")
    world.ledger.update(job.id, state="FAILED", reason="The disk is full.")
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    expect(page).to_have_title(f"Failed · ldct_denoise {job.id[:8]} · Virtual Scanner")
    expect(page.locator("#details")).to_contain_text("Nothing was sent.")
    expect(page.locator("#slice")).to_be_focused()
    expect(page.locator("#slice-number")).to_have_text("4")


def test_the_focus_stays_when_the_page_is_renewed(page: Page, send_series: SendSeries) -> None:
    uid = send_series()
    page.goto("/")
    page.get_by_role("link", name=re.compile("^Why")).focus()
    send_series(series_description="LOW DOSE NEXT")
    expect(page.get_by_text("LOW DOSE NEXT").first).to_be_visible()
    expect(page.locator(f"a[href='/series/{uid}']", has_text="Why")).to_be_focused()


def test_a_warning_is_said_once(page: Page, world: World, send_series: SendSeries) -> None:
    """In an alert that is renewed with the page a screen reader would say it every two seconds."""
    world.beat()
    page.goto("/")
    said = page.locator("#news")
    expect(page.get_by_text("Nothing has come in yet")).to_be_visible()
    world.beat(age_s=3600)
    expect(said).to_contain_text("No worker is alive.")
    page.evaluate(
        "news => new MutationObserver(() => news.remove()).observe(news, {childList: true})",
        said.element_handle(),
    )
    send_series(series_description="LOW DOSE NEXT")
    expect(page.get_by_text("LOW DOSE NEXT").first).to_be_visible()
    expect(said).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)
    world.beat()
    expect(page.locator(".banner")).to_have_count(0)


def test_a_dead_node_is_told(page: Page, complaints: list[str], send_series: SendSeries) -> None:
    send_series()
    page.goto("/")
    page.route("**/*", lambda route: route.abort())
    expect(page.get_by_text("No answer from the node")).to_be_visible()
    page.unroute("**/*")
    expect(page.get_by_text("No answer from the node")).to_be_hidden()
    complaints.clear()  # the browser's own words on the failed requests


LINE_PX = 24
SMALLEST_TEXT_PX = """() => Math.min(...[...document.querySelectorAll("body *")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .map((e) => parseFloat(getComputedStyle(e).fontSize)))"""
TEXT_OUT_OF_ITS_TILE = """() => [...document.querySelectorAll(".tile > *")].filter((e) => {
  const text = document.createRange();
  text.selectNodeContents(e);
  return text.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right;
}).map((e) => e.textContent)"""

# Text whose contrast with its ground is below 4.5 (WCAG 2.2, 1.4.3).
LOW_CONTRAST = """() => {
  const channels = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => { const [r, g, b] = c.map((v) => {
    v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = e.getBoundingClientRect();
    if (!own || box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(e);
    if (e.disabled) continue;
    const a = light(channels(style.color).slice(0, 3)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([e.textContent.trim().slice(0, 40), ratio]);
  }
  return low;
}"""


def test_buttons_work_under_a_plain_name_without_tls(
    page: Page,
    complaints: list[str],
    client: httpx.Client,
    make_job: MakeJob,
) -> None:
    """There browsers send no Sec-Fetch-Site, and an Origin only where referrers are allowed."""
    page.goto(f"http://vscanner:{client.base_url.port}/jobs/{make_job().id}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".job .chip")).to_have_text("Cancelled")
    assert all("Cross-Origin-Opener-Policy" in complaint for complaint in complaints)
    complaints.clear()  # the header needs TLS, and Chromium says so
