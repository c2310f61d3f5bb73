from __future__ import annotations

import pytest

from node.web.accept import chosen_type

OFFERED = ("application/dicom+json", "application/json", "application/dicom+xml")
JSON, PLAIN, XML = OFFERED


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/dicom+xml", XML),
        ("Application/DICOM+XML", XML),
        ("application/json", PLAIN),
        ("application/dicom+json; charset=utf-8", JSON),
        ("application/dicom+xml, application/dicom+json", JSON),  # as we would rather
        ("application/dicom+xml;q=0.9, application/dicom+json;q=0.5", XML),
        ("application/dicom+json;q=0, */*", PLAIN),
        ("application/*;q=0, application/dicom+xml;q=0.1", XML),
        ("text/html, */*;q=0.1", JSON),
        ("text/html", None),
        ('multipart/related; type="application/dicom"', None),
        ("application/dicom+xml;q=0", None),
        ("application/dicom+xml;q=nonsense", None),
        ("application/dicom", None),
        (", ,", JSON),
        ("text/html," * 49 + "application/json", PLAIN),
        ("text/html," * 50 + "application/json", None),
    ],
)
def test_what_a_client_gets(accept: str, chosen: str | None) -> None:
    assert chosen_type(accept, OFFERED) == chosen


def test_nothing_offered_is_nothing() -> None:
    assert chosen_type("*/*", ()) is None
