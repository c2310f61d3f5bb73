"""Which statuses mean that a destination has kept an instance, may take it later, or never will."""

from __future__ import annotations

from enum import Enum


class Meaning(Enum):
    """What a status means for our next step."""

    KEPT = "kept"  # success, or a warning with which it was stored
    AGAIN = "again"  # the same request may succeed later
    NEVER = "never"  # the same request will fail again


# PS3.4 B.2.3, table B.2-1, and PS3.7 annex C for the general statuses; first match counts.
C_STORE_STATUSES: tuple[tuple[range, Meaning, str], ...] = (
    (range(0x0000, 0x0001), Meaning.KEPT, "success"),
    (range(0xB000, 0xB001), Meaning.KEPT, "warning: coercion of data elements"),
    (range(0xB006, 0xB007), Meaning.KEPT, "warning: elements discarded"),
    (range(0xB007, 0xB008), Meaning.KEPT, "warning: data set does not match SOP class"),
    (range(0xA700, 0xA800), Meaning.AGAIN, "out of resources"),
    (range(0xA900, 0xAA00), Meaning.NEVER, "data set does not match SOP class"),
    (range(0xC000, 0xD000), Meaning.NEVER, "cannot understand"),
    (range(0x0107, 0x0108), Meaning.KEPT, "warning: attribute list error"),
    (range(0x0116, 0x0117), Meaning.KEPT, "warning: attribute value out of range"),
    (range(0x0110, 0x0111), Meaning.AGAIN, "processing failure"),
    (range(0x0111, 0x0112), Meaning.KEPT, "duplicate SOP instance"),
    (range(0x0117, 0x0118), Meaning.NEVER, "invalid SOP instance"),
    (range(0x0122, 0x0123), Meaning.NEVER, "SOP class not supported"),
    (range(0x0124, 0x0125), Meaning.NEVER, "not authorised"),
    (range(0x0210, 0x0211), Meaning.AGAIN, "duplicate invocation"),
    (range(0x0211, 0x0212), Meaning.NEVER, "unrecognised operation"),
    (range(0x0212, 0x0213), Meaning.NEVER, "mistyped argument"),
    (range(0x0213, 0x0214), Meaning.AGAIN, "resource limitation"),
    (range(0xB000, 0xC000), Meaning.KEPT, "warning"),
)

# RFC 9110 15, and PS3.18 10.5.3 for STOW-RS.
HTTP_STATUSES: tuple[tuple[range, Meaning], ...] = (
    (range(200, 300), Meaning.KEPT),
    (range(408, 409), Meaning.AGAIN),  # request time-out
    (range(425, 426), Meaning.AGAIN),  # too early
    (range(429, 430), Meaning.AGAIN),  # too many requests
    (range(500, 501), Meaning.AGAIN),
    (range(502, 505), Meaning.AGAIN),  # bad gateway, unavailable, gateway time-out
    (range(507, 508), Meaning.AGAIN),  # insufficient storage
)


def c_store_meaning(code: int) -> tuple[Meaning, str]:
    """What a C-STORE status means; an unknown one is a failure that may pass (PS3.7 C.1)."""
    for codes, meaning, name in C_STORE_STATUSES:
        if code in codes:
            return meaning, name
    return Meaning.AGAIN, "unknown failure"


def http_meaning(code: int) -> Meaning:
    """What an HTTP status means; whatever is not in the table will fail again."""
    return next((meaning for codes, meaning in HTTP_STATUSES if code in codes), Meaning.NEVER)
