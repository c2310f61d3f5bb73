from __future__ import annotations

import pytest
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from node.dispatch.statuses import Meaning, c_store_meaning, http_meaning


def test_every_status_of_the_standard() -> None:
    for code, (kind, *_rest) in STORAGE_SERVICE_CLASS_STATUS.items():
        meaning, _ = c_store_meaning(code)
        if kind in ("Success", "Warning"):
            assert meaning is Meaning.KEPT, hex(code)
        elif 0xA700 <= code < 0xA800:
            assert meaning is Meaning.AGAIN, hex(code)
        elif 0xA900 <= code < 0xD000:
            assert meaning is Meaning.NEVER, hex(code)


def test_unknown_status_may_pass() -> None:
    assert c_store_meaning(0x9999)[0] is Meaning.AGAIN


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (200, Meaning.KEPT),
        (202, Meaning.KEPT),
        (400, Meaning.NEVER),
        (401, Meaning.NEVER),
        (409, Meaning.NEVER),
        (429, Meaning.AGAIN),
        (500, Meaning.AGAIN),
        (501, Meaning.NEVER),
        (503, Meaning.AGAIN),
    ],
)
def test_http(code: int, meaning: Meaning) -> None:
    assert http_meaning(code) is meaning
