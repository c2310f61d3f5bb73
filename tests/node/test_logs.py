from __future__ import annotations

import io
import json
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos._logger import init_logger

from node.errors import NodeError
from node.logs import set_up_logging


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    dbos = logging.getLogger("dbos")
    dbos_handlers, dbos_propagates = dbos.handlers[:], dbos.propagate
    dbos.handlers[:], dbos.propagate = [], True
    yield
    dbos.handlers[:], dbos.filters[:], dbos.propagate = dbos_handlers, [], dbos_propagates
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in ("pynetdicom", "pydicom", "py.warnings", "dbos", "urllib3", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize("ours_first", [True, False])
def test_the_queue_logs_as_all_others_do(ours_first: bool) -> None:
    stream = io.StringIO()
    if ours_first:
        set_up_logging(stream)
        init_logger()
    else:
        init_logger()
        set_up_logging(stream)
    logging.getLogger("dbos").warning("no queue:\nthe server is away")
    line = json.loads(stream.getvalue())
    assert line["message"] == "no queue:\nthe server is away"


def test_the_queue_says_a_thing_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    now = time.time()
    for seconds in (0, 1, 59, 61):
        monkeypatch.setattr(time, "time_ns", lambda later=seconds: int((now + later) * 1e9))
        monkeypatch.setattr(time, "time", lambda later=seconds: now + later)
        for queue in ("make", "deliver"):
            logging.getLogger("dbos").warning(f"no queue {queue}: no server at {seconds}")
    lines = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert lines == [
        f"no queue {queue}: no server at {seconds}"
        for seconds in (0, 61)
        for queue in ("make", "deliver")
    ]


def test_into_a_pipe_every_line_is_json() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    facts = {"action": "series_decided", "instances": 12}
    logging.getLogger("node.x").info("a series is %s", "complete", extra=facts)
    line = json.loads(stream.getvalue())
    assert line["message"] == "a series is complete"
    assert (line["level"], line["logger"], line["action"]) == ("info", "node.x", "series_decided")
    assert line["instances"] == 12
    assert line["time"].endswith("+00:00")


def test_at_a_terminal_a_person_can_read_it() -> None:
    stream = Terminal()
    set_up_logging(stream)
    logging.getLogger("node.x").warning("odd", extra={"action": "odd", "series": "1.2"})
    assert stream.getvalue().endswith("WARNING odd  [series=1.2]\n")


def read_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise NodeError("A number is wanted.") from error


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_exception_keeps_its_traceback_but_not_what_a_library_says(
    stream: io.StringIO,
) -> None:
    set_up_logging(stream)
    name = "Doe^Jane"
    try:
        read_number(name)
    except NodeError:
        logging.getLogger("node.x").exception("failed")
    said = stream.getvalue()
    assert said.count("Traceback (most recent call last):") == 2
    assert said.index("return int(text)") < said.index("A number is wanted.")
    assert "ValueError" in said
    assert "node.errors.NodeError: A number is wanted." in said
    assert "Jane" not in said


def test_what_the_system_says_is_told() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    try:
        Path("/nowhere/to/be/found").read_bytes()
    except OSError:
        logging.getLogger("node.x").exception("failed")
    told = json.loads(stream.getvalue())["traceback"].splitlines()[-1]
    assert told.startswith("FileNotFoundError: [Errno 2] No such file or directory")


def test_an_error_that_was_handled_on_purpose_is_not_told() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    try:
        try:
            read_number("one")
        except NodeError:
            raise NodeError("Ask again.") from None
    except NodeError:
        logging.getLogger("node.x").exception("failed")
    assert stream.getvalue().count("Traceback (most recent call last):") == 1


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_no_text_of_others_can_make_a_line_of_its_own(stream: io.StringIO) -> None:
    set_up_logging(stream)
    forged = "CT\n12:00:00 All is well\r\x1b[2J\u2028\u0085\u202egnp"
    logging.getLogger("node.x").info("from %s", forged, extra={"action": "x", "ae_title": forged})
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert "\\u001b[2J" in line or "\\u001b[2J" in json.loads(line)["message"]


def fail(text: str) -> None:
    raise ValueError(text)


def test_the_text_of_an_exception_cannot_pass_for_a_line() -> None:
    stream = Terminal()
    set_up_logging(stream)
    try:
        fail("odd\n12:00:00 All is well\x1b[2J")
    except ValueError:
        logging.getLogger("node.x").exception("failed")
    first, *others = stream.getvalue().splitlines()
    assert first.endswith("ERROR failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_letters_of_all_scripts_stay_readable() -> None:
    stream = Terminal()
    set_up_logging(stream)
    logging.getLogger("node.x").info("胸部 흉부 صدر Thoraxübersicht")
    assert "胸部 흉부 صدر Thoraxübersicht" in stream.getvalue()


def test_libraries_that_quote_values_are_silent() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    logging.getLogger("pydicom").warning("Invalid value for VR PN: 'Doe^Jane'")
    logging.getLogger("pynetdicom.events").error("Doe^Jane")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Invalid value for VR PN: 'Doe^Jane'", stacklevel=1)
    assert stream.getvalue() == ""
