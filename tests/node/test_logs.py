from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from node.logs import set_up_logging


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in ("pynetdicom", "pydicom", "py.warnings", "dbos", "urllib3", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.NOTSET)


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


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_exception_keeps_its_traceback(stream: io.StringIO) -> None:
    set_up_logging(stream)
    try:
        int("why")
    except ValueError:
        logging.getLogger("node.x").exception("failed")
    assert "Traceback" in stream.getvalue()
    assert "why" in stream.getvalue()


def test_libraries_that_quote_values_are_silent() -> None:
    stream = io.StringIO()
    set_up_logging(stream)
    logging.getLogger("pydicom").warning("Invalid value for VR PN: 'Doe^Jane'")
    logging.getLogger("pynetdicom.events").error("Doe^Jane")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Invalid value for VR PN: 'Doe^Jane'", stacklevel=1)
    assert stream.getvalue() == ""
