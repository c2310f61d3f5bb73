"""The page of a reader over HTTP: complete, resumable, guarded, and silent on the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from node.reading.folder import ReadingFolder
from node.reading.making import MadeReading
from tests.node.reading.patients import patients, reading_of
from tests.node.web.conftest import refusal, serving
from tests.node.web.world import World


@pytest.fixture(scope="module")
def dicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patients")
    patients(folder)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "chest-1.key"


@pytest.fixture
def made(world: World, dicom: Path, key: Path) -> MadeReading:
    return reading_of(dicom, world.config.node.data_dir / "readings", key)


@pytest.fixture
def folder(world: World, made: MadeReading) -> ReadingFolder:
    return ReadingFolder(world.config.node.data_dir / "readings" / made.study.name)


@pytest.fixture
def reader(made: MadeReading) -> str:
    """The address of the first reader."""
    return f"/readings/chest-1/{made.links['R1']}"


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    with serving(world.config, world.database) as opened:
        yield opened


def test_a_reader_begins_goes_on_and_resumes(
    client: httpx.Client, reader: str, folder: ReadingFolder
) -> None:
    order = folder.study.order_of("R1")
    assert client.get(reader).headers["location"] == f"{reader}/1"
    answer = {"judgement": "synthetic", "tag": ["texture", "too_smooth"], "reason": "flach\r\n"}
    posted = client.post(f"{reader}/1", data={**answer, "seconds": "3.5"})
    assert (posted.status_code, posted.headers["location"]) == (303, f"{reader}/2")
    kept = folder.answers.latest("R1")[order[0]]
    assert (kept.judgement, kept.tags) == ("synthetic", ("texture", "too_smooth"))
    assert (kept.reason, kept.seconds) == ("flach", 3.5)
    client.post(f"{reader}/3", data={"judgement": "real"})
    assert client.get(reader).headers["location"] == f"{reader}/2"
    shown = client.get(f"{reader}/1").text
    assert re.search(r'value="synthetic" required checked', shown)
    assert re.search(r'value="too_smooth" checked', shown)
    assert "flach</textarea>" in shown
    for position in (2, 4):
        posted = client.post(f"{reader}/{position}", data={"judgement": "cannot_tell"})
    assert client.get(posted.headers["location"]).headers["location"] == f"{reader}/end"
    assert "All 4 cases are judged" in client.get(f"{reader}/end").text


def test_what_the_browser_gets_does_not_tell_the_truth(
    client: httpx.Client, made: MadeReading
) -> None:
    """Two readers see every case: the answers differ in pixels, positions and links only."""
    pages, headers = set(), set()
    for alias, link in made.links.items():
        for position in range(1, 5):
            address = f"/readings/chest-1/{link}/{position}"
            page = client.get(address)
            assert not any(case in page.text for case in made.study.cases)
            said = re.sub(r"<nav.*?</nav>", "", page.text, flags=re.DOTALL)
            said = said.replace(link, "LINK").replace(f"Reader {alias}", "Reader")
            pages.add(
                said.replace(f"LINK/{position}", "LINK/N").replace(f"Case {position}", "Case")
            )
            for number in range(1, 7):
                pixels = client.get(f"{address}/{number}")
                assert len(pixels.content) == 64 * 64 * 2
                headers.add(tuple(sorted(set(pixels.headers.items()) - date_of(pixels))))
    assert len(pages) == 1
    assert len(headers) == 1
    assert not {"etag", "last-modified"} & {name for name, _ in headers.pop()}


def date_of(answer: httpx.Response) -> set[tuple[str, str]]:
    return {("date", answer.headers["date"])}


def test_every_slice_is_that_of_the_case(
    client: httpx.Client, reader: str, folder: ReadingFolder
) -> None:
    for position, case in enumerate(folder.study.order_of("R1"), 1):
        for number in (1, 6):
            got = client.get(f"{reader}/{position}/{number}").content
            assert got == folder.slice_pixels(case, number)
    assert client.get(f"{reader}/1/7").status_code == 404
    assert client.get(f"{reader}/5").status_code == 404


def test_only_a_readers_own_link_leads_in(client: httpx.Client, made: MadeReading) -> None:
    for path in ("x" * 22, f"{'x' * 22}/1", f"{'x' * 22}/1/1", "R1/1"):
        answer = client.get(f"/readings/chest-1/{path}")
        assert answer.status_code == 404
        assert "whole link" in answer.text
    assert client.get("/readings/nowhere").status_code == 404


def test_the_guard_stands_before_the_pages(
    client: httpx.Client, reader: str, folder: ReadingFolder
) -> None:
    foreign = {"origin": "http://attacker.example"}
    answer = client.post(f"{reader}/1", data={"judgement": "real"}, headers=foreign)
    assert answer.status_code == 403
    assert "another site" in refusal(answer)
    assert client.get(reader, headers={"host": "attacker.example"}).status_code == 421
    assert folder.answers.latest("R1") == {}
    assert client.get(f"{reader}/1").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"judgement": "fake"}, 400),
        ({"judgement": "real", "tag": "not_in_the_list"}, 400),
        ({"judgement": "real", "seconds": "nan"}, 400),
        ({"judgement": "real", "reason": "x" * 2001}, 400),
        ({"judgement": "real", "reason": "x" * 70_000}, 413),
    ],
)
def test_what_is_no_answer_is_not_kept(
    client: httpx.Client, reader: str, folder: ReadingFolder, form: dict[str, str], status: int
) -> None:
    assert client.post(f"{reader}/1", data=form).status_code == status
    assert folder.answers.latest("R1") == {}


def test_an_answer_without_a_length_is_not_read(
    client: httpx.Client, reader: str, folder: ReadingFolder
) -> None:
    """Sent in chunks it could be of any size."""
    answer = client.post(f"{reader}/1", content=iter([b"judgement=real"]))
    assert (answer.status_code, folder.answers.latest("R1")) == (413, {})


@pytest.mark.parametrize("body", [b"judgement=real&reason=\xff", b"a=1&" * 101])
def test_what_is_no_form_is_a_sentence(
    client: httpx.Client, reader: str, folder: ReadingFolder, body: bytes
) -> None:
    answer = client.post(f"{reader}/1", content=body)
    assert (answer.status_code, "is no form" in answer.text) == (400, True)
    assert folder.answers.latest("R1") == {}


def test_the_list_and_the_reading_publish_the_commitment(
    client: httpx.Client, made: MadeReading, reader: str, folder: ReadingFolder, key: Path
) -> None:
    assert "/readings/chest-1" in client.get("/readings").text
    client.post(f"{reader}/1", data={"judgement": "real"})
    page = client.get("/readings/chest-1").text
    assert made.study.key_sha256 in page
    assert "1 of 4 judged" in page
    assert not any(link in page for link in made.links.values())
    folder.open_with(key, unfinished=True)
    assert "The key was opened" in client.get("/readings/chest-1").text
    assert client.post(f"{reader}/2", data={"judgement": "real"}).status_code == 409
    closed = client.get(f"{reader}/1").text
    assert "The reading is closed" in closed
    assert '<fieldset class="judgement" disabled>' in closed


def test_a_node_without_readings_says_so(client: httpx.Client) -> None:
    assert "no blind reading on this node" in client.get("/readings").text
