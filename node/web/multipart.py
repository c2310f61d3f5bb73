"""Reading a multipart/related body as it arrives, in bounded memory (RFC 2046 5.1, RFC 2387)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any

HEADER_LIMIT_BYTES = 16_384
LONGEST_CONTENT_TYPE = 1000
"""Characters; the time that its parser takes grows with their square."""


class MultipartError(ValueError):
    """The body is not the multipart message that its Content-Type promises."""


@dataclass(frozen=True)
class PartStart:
    """A part begins; header names are in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True)
class PartData:
    """The next bytes of the part that began last."""

    data: bytes


@dataclass(frozen=True)
class PartEnd:
    """The part that began last is whole."""


Event = PartStart | PartData | PartEnd


def parse_content_type(header: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case, and its parameters; empty where nobody can read it."""
    if len(header) > LONGEST_CONTENT_TYPE:
        return "", {}
    message = Message()
    message["content-type"] = header
    try:
        (kind, _), *pairs = message.get_params(failobj=[])
        parameters = {name.lower(): _plain(value) for name, value in pairs}
    except (TypeError, ValueError):  # a parameter in parts that do not fit together
        return "", {}
    return kind.lower(), parameters


def _plain(value: Any) -> str:
    """A parameter's value, whether plain or with character set and language (RFC 2231)."""
    return collapse_rfc2231_value(value)


async def read_parts(chunks: AsyncIterator[bytes], boundary: str) -> AsyncIterator[Event]:
    """The parts of a body, as events; holds a chunk and a boundary at most.

    Args:
        chunks: the body as it arrives.
        boundary: from the Content-Type header.

    Raises:
        MultipartError: the body breaks off, or is not a multipart message.
    """
    reader = _Reader(boundary)
    async for chunk in chunks:
        for event in reader.feed(chunk):
            yield event
    reader.close()


def read_parts_of(chunks: Iterable[bytes], boundary: str) -> Iterator[Event]:
    """The same for a body that somebody else serves us, an answer to WADO-RS say."""
    reader = _Reader(boundary)
    for chunk in chunks:
        yield from reader.feed(chunk)
    reader.close()


class _Reader:
    """A small automaton: preamble, then headers and data of part after part, then epilogue."""

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= 70 or not boundary.isascii():  # RFC 2046 5.1.1
            raise MultipartError("The boundary must have 1 to 70 characters of ASCII.")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._buffer = bytearray(b"\r\n")  # so that a body may begin with its first delimiter
        self._state: Callable[[list[Event]], bool] = self._preamble
        self._ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes."""
        self._buffer += chunk
        events: list[Event] = []
        while not self._ended and self._state(events):
            pass
        if self._ended:
            self._buffer.clear()  # the epilogue means nothing
        return events

    def close(self) -> None:
        """The body is over."""
        if not self._ended:
            raise MultipartError("The body breaks off before its closing boundary.")

    def _preamble(self, _events: list[Event]) -> bool:
        found = self._buffer.find(self._delimiter)
        if found < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter))]
            return False
        del self._buffer[: found + len(self._delimiter)]
        self._state = self._after_delimiter
        return True

    def _after_delimiter(self, _events: list[Event]) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._ended = True
            return False
        end = self._buffer.find(b"\r\n")
        if end < 0:
            self._limit_headers()
            return False
        if self._buffer[:end].strip(b" \t"):
            raise MultipartError("A boundary is followed by other text on its line.")
        del self._buffer[:end]  # keeps the line break: a part may have no headers
        self._state = self._headers
        return True

    def _headers(self, events: list[Event]) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            self._limit_headers()
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 2]  # keeps a line break: an empty part ends by a delimiter
        events.append(PartStart(_parse_headers(lines)))
        self._state = self._first_data
        return True

    def _first_data(self, events: list[Event]) -> bool:
        if len(self._buffer) < len(self._delimiter):
            return False
        if self._buffer.startswith(self._delimiter):
            return self._end_part(events, 0)
        del self._buffer[:2]
        self._state = self._data
        return True

    def _data(self, events: list[Event]) -> bool:
        found = self._buffer.find(self._delimiter)
        if found >= 0:
            return self._end_part(events, found)
        safe = len(self._buffer) - len(self._delimiter) + 1
        if safe > 0:
            events.append(PartData(bytes(self._buffer[:safe])))
            del self._buffer[:safe]
        return False

    def _end_part(self, events: list[Event], length: int) -> bool:
        if length:
            events.append(PartData(bytes(self._buffer[:length])))
        events.append(PartEnd())
        del self._buffer[: length + len(self._delimiter)]
        self._state = self._after_delimiter
        return True

    def _limit_headers(self) -> None:
        if len(self._buffer) > HEADER_LIMIT_BYTES:
            raise MultipartError(f"The headers of a part exceed {HEADER_LIMIT_BYTES} bytes.")


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers
