"""The address that people are told."""

from __future__ import annotations

import socket

import pytest

from node.config import WebSettings
from node.web.address import site_address
from node.web.security import is_known_host


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("scanner.hospital.example", "http://scanner.hospital.example:8080"),
    ],
)
def test_a_page_at_one_address_is_called_by_it(host: str, wanted: str) -> None:
    assert site_address(WebSettings(host=host)) == wanted


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_page_everywhere_is_called_by_a_name_that_is_let_in(host: str) -> None:
    found = site_address(WebSettings(host=host)).removeprefix("http://")
    assert found == socket.gethostname().partition(".")[0] + ":8080"
    assert is_known_host(found, ())
    named = WebSettings(host=host, names=("page.hospital.example",))
    assert site_address(named) == "http://page.hospital.example:8080"
