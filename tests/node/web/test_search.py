"""Studies are found by what is no patient's: job, UIDs, route, state."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa
from pydicom.uid import PYDICOM_ROOT_UID

from node.database.tables import instances
from node.web.search import Search
from tests.node.web.conftest import SendSeries, refusal
from tests.node.web.world import World

PYDICOM_PREFIX = PYDICOM_ROOT_UID.rstrip(".")


def found_by(client: httpx.Client, **query: str) -> set[str]:
    """Series of the studies that a search finds, by the JSON; the page must agree."""
    answer = client.get("/api/studies", params=query)
    assert answer.status_code == 200, answer.text
    uids = {one["series_instance_uid"] for study in answer.json() for one in study["series"]}
    page = client.get("/", params=query).text
    assert all(f"/series/{uid}" in page for uid in uids)
    assert bool(uids) == ("Nothing found" not in page)
    return uids


def test_each_identifier_finds_its_study_alone(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid, _other = send_series(), send_series()
    world.assemble()
    job = world.job_of(uid)
    world.finish(job)
    with world.database.connect() as connection:
        query = sa.select(instances.c.sop_instance_uid).where(
            instances.c.series_instance_uid == uid
        )
        image = connection.scalars(query).first()
    assert image
    (made, *_) = world.job_of(uid).derived_series
    piece = "." + uid.rpartition(".")[2]
    for find in (uid, piece, job.study_instance_uid, job.id, job.id[:16], image, made):
        assert found_by(client, find=find) == {uid}, find
    assert found_by(client, find=f"  {job.id.upper()} ") == {uid}
    assert found_by(client, find="9.9.9.9.9") == set()


def test_route_and_state_hold_for_one_job(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    done, waiting, unrouted = (
        send_series(),
        send_series(),
        send_series(series_description="PORTAL VENOUS"),
    )
    world.assemble()
    world.finish(world.job_of(done))
    assert found_by(client, route="low-dose chest") == {done, waiting}
    assert found_by(client, route="low-dose chest", state="committed") == {done}
    assert found_by(client, state="QUEUED") == {waiting}
    assert found_by(client, state="QUEUED", find=done) == set()
    assert found_by(client, route="another") == set()
    assert found_by(client, show="refused") == {unrouted}
    assert found_by(client, show="refused", route="low-dose chest") == set()


@pytest.mark.parametrize(
    "words", ["DOE^JANE", "jane", "12345678", "1.2", "%", "_._._._", "abcdef;1", "a" * 65]
)
def test_what_may_be_a_patient_is_no_search(client: httpx.Client, words: str) -> None:
    answer = client.get("/api/studies", params={"find": words})
    assert answer.status_code == 400
    assert "nothing about a patient" in refusal(answer)
    assert client.get("/", params={"find": words}).status_code == 400


def test_an_unknown_state_is_a_sentence(client: httpx.Client) -> None:
    answer = client.get("/api/studies", params={"state": "BROKEN"})
    assert answer.status_code == 400
    assert "COMMITTED" in refusal(answer)


def test_filters_and_pages_keep_the_search(client: httpx.Client, send_series: SendSeries) -> None:
    for _ in range(21):
        send_series(slices=1)
    page = client.get("/", params={"find": PYDICOM_PREFIX}).text
    assert "Page 1 of 2" in page
    assert "&amp;page=2" in page
    assert "show=done&amp;find=" in page


@pytest.mark.parametrize(
    ("search", "changes", "address"),
    [
        (Search(), {}, "/"),
        (Search(show="done"), {"show": "all"}, "/"),
        (Search(find="1.2.3", route="low-dose chest"), {"show": "done"}, None),
    ],
)
def test_addresses(search: Search, changes: dict[str, str], address: str | None) -> None:
    wanted = address or "/?show=done&find=1.2.3&route=low-dose+chest"
    assert search.address(**changes) == wanted


def test_the_browser_refuses_the_same(client: httpx.Client) -> None:
    page = client.get("/").text
    assert 'pattern="(?=.*[a-fA-F.])[0-9a-fA-F.]{6,64}"' in page
