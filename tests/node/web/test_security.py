"""Foreign pages neither act nor read here; scripts and our own page do."""

from __future__ import annotations

import httpx
import pytest
from starlette.datastructures import Headers

from node.web.security import is_known_host, is_same_origin
from tests.node.web.conftest import MakeJob
from tests.node.web.world import World


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("10.1.2.3", True),
        ("localhost:8080", True),
        ("vscanner", True),
        ("scanner.hospital.example:443", True),
        ("SCANNER.hospital.example.", True),
        ("attacker.example", False),
        ("scanner.hospital.example.attacker.example", False),
        ("", False),
        ("[", False),
    ],
)
def test_known_hosts(host: str, known: bool) -> None:
    for name in ("scanner.hospital.example", "Scanner.Hospital.Example."):
        assert is_known_host(host, [name]) is known


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"host": "a"}, True),  # curl
        ({"host": "a", "sec-fetch-site": "same-origin", "origin": "http://a"}, True),
        ({"host": "a", "sec-fetch-site": "none"}, True),
        ({"host": "a", "sec-fetch-site": "cross-site", "origin": "http://b"}, False),
        ({"host": "a", "sec-fetch-site": "same-site"}, False),
        ({"host": "a:8080", "origin": "http://a:8080"}, True),
        ({"host": "a:8080", "origin": "http://a:9090"}, False),
        ({"host": "a", "origin": "null"}, False),
        ({"host": "a", "origin": "http://["}, False),
    ],
)
def test_same_origin(headers: dict[str, str], allowed: bool) -> None:
    assert is_same_origin(Headers(headers)) is allowed


def test_a_foreign_page_cannot_cancel_a_job(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    foreign = {"origin": "http://attacker.example"}
    for path in (f"/jobs/{job.id}/cancel", f"/api/jobs/{job.id}/cancel"):
        answer = client.post(path, headers=foreign)
        assert answer.status_code == 403
        assert "another site" in answer.json()["detail"]
    assert world.ledger.require(job.id).state == "QUEUED"


def test_a_link_of_another_page_leads_here(client: httpx.Client) -> None:
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_every_answer_carries_the_headers(client: httpx.Client) -> None:
    for path in ("/", "/api/jobs", "/no/such/page", "/static/style.css", "/health/live"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_a_rebound_name_is_turned_away_but_monitoring_is_not(client: httpx.Client) -> None:
    def ask(path: str) -> int:
        return client.get(path, headers={"host": "attacker.example"}).status_code

    assert [ask(path) for path in ("/", "/api/studies", "/static/style.css")] == [421] * 3
    assert [ask(path) for path in ("/health/live", "/metrics")] == [200] * 2


def test_an_address_that_parsers_choke_on_is_a_400(client: httpx.Client) -> None:
    number = "1" * 5000
    for path in (f"/jobs/x/pictures/before/{number}.png", "/series/a%00b", "/?route=%00"):
        answer = client.get(path)
        assert (answer.status_code, "up to 1000 characters" in answer.text) == (400, True)
