"""The multipart reader: any split into chunks gives the same parts; nonsense is refused."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.multipart import (
    MultipartError,
    PartData,
    PartEnd,
    PartStart,
    parse_content_type,
    read_parts,
    read_parts_of,
)

Part = tuple[dict[str, str], bytes]


def encode(parts: Sequence[Part], boundary: str = "b", preamble: bytes = b"") -> bytes:
    body = preamble
    for headers, data in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body += f"\r\n--{boundary}\r\n{head}\r\n".encode() + data
    return body + f"\r\n--{boundary}--\r\nepilogue".encode()


def parse(body: bytes, sizes: Sequence[int] = (), boundary: str = "b") -> list[Part]:
    async def chunks() -> AsyncIterator[bytes]:
        start = 0
        for size in sizes:
            yield body[start : start + size]
            start += size
        yield body[start:]

    async def collect() -> list[Part]:
        parts: list[Part] = []
        ended = True
        async for event in read_parts(chunks(), boundary):
            if isinstance(event, PartStart):
                assert ended
                parts.append((dict(event.headers), b""))
                ended = False
            elif isinstance(event, PartData):
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
            elif isinstance(event, PartEnd):
                ended = True
        assert ended
        return parts

    return asyncio.run(collect())


PARTS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["content-type", "x"]), st.sampled_from(["a/b", "c"])),
        # Bytes that look like delimiters but are none: the boundary of the test is longer.
        st.lists(st.sampled_from([b"\r\n", b"--", b"bou", b"\r", b"\x00\xff", b"data"])).map(
            b"".join
        ),
    ),
    max_size=4,
)


@given(PARTS, st.lists(st.integers(0, 40), max_size=12), st.sampled_from([b"", b"preamble"]))
def test_any_chunks_give_the_same_parts(
    parts: list[Part], sizes: list[int], preamble: bytes
) -> None:
    body = encode(parts, "boundary-1", preamble)
    assert parse(body, sizes, "boundary-1") == [(dict(h), d) for h, d in parts]


def test_a_body_may_begin_with_its_boundary() -> None:
    assert parse(b"--b\r\ncontent-type: a/b\r\n\r\nxyz\r\n--b--") == [
        ({"content-type": "a/b"}, b"xyz")
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b\r\n\r\ncut short",
        b"--b\r\ncontent-type: a/b\r\n",
        b"--b and more\r\n\r\nxyz\r\n--b--",
        b"--b\r\n" + b"x: y\r\n" * 5000,
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(MultipartError):
        parse(body, [10] * 1000)


def test_what_stands_around_the_parts_is_not_kept() -> None:
    """16 MB before and after them: it is read past, in the memory of a chunk or two."""
    around = [b"x" * 65_536] * 256
    tracemalloc.start()
    events = list(read_parts_of([*around, b"\r\n--b\r\n\r\ndata\r\n--b--", *around], "b"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert events == [PartStart({}), PartData(b"data"), PartEnd()]
    assert peak < 1_000_000


def test_an_answer_that_breaks_off_is_refused() -> None:
    with pytest.raises(MultipartError, match="breaks off"):
        list(read_parts_of([b"--b\r\n\r\ncut sh"], "b"))


@pytest.mark.parametrize("boundary", ["", "x" * 71, "é"])
def test_boundaries_have_1_to_70_characters(boundary: str) -> None:
    with pytest.raises(MultipartError, match="1 to 70"):
        parse(b"", (), boundary)


def test_content_types() -> None:
    kind, parameters = parse_content_type('Multipart/Related; type="application/dicom"; boundary=x')
    assert kind == "multipart/related"
    assert parameters == {"type": "application/dicom", "boundary": "x"}
    assert parse_content_type("A/b; Boundary=X") == ("a/b", {"boundary": "X"})


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        ("multipart/related; boundary*=utf-8''%C3%A9", "é"),
        ("multipart/related; boundary*0=a; boundary*1=b", "ab"),
        ("multipart/related; boundary*0*=utf-8'a", "utf-8'a"),
        ("multipart/related; boundary*=''x", "x"),
    ],
)
def test_parameters_in_parts_or_with_a_character_set(header: str, boundary: str) -> None:
    """RFC 2231: to our parser a tuple, which is no text."""
    assert parse_content_type(header)[1]["boundary"] == boundary


@pytest.mark.parametrize(
    "header",
    [
        "a/b; x*=1; x*0=2",
        f"a/b; x*{'9' * 900}=1; x*=2",
        "a/b; x*=\0''%ff",
        'a/b; x="' + ";" * 60_000,  # seconds, for everybody who waits for this process
    ],
)
def test_a_content_type_that_nobody_can_read_is_empty(header: str) -> None:
    assert parse_content_type(header) == ("", {})


@given(st.text(st.sampled_from("abc;=*'\"%0123é \\/"), max_size=40))
def test_any_content_type_is_read(header: str) -> None:
    kind, parameters = parse_content_type(header)
    assert all(isinstance(each, str) for each in (kind, *parameters.values()))
