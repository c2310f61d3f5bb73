"""Logging: readable lines at a terminal, one JSON object a line otherwise.

Modules log one line per unit of work: `log.info("sentence", extra={"action": "name", ...})`.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

QUIET_LIBRARIES = {
    # Their lower levels log identifiers and attribute values, which belong to patients.
    "pynetdicom": logging.CRITICAL,
    "pydicom": logging.CRITICAL,
    "highdicom": logging.CRITICAL,
    "py.warnings": logging.CRITICAL,
    "dbos": logging.WARNING,
    "urllib3": logging.WARNING,
    "psycopg": logging.ERROR,  # it warns once more of each error that it has raised
    "uvicorn.access": logging.WARNING,
}
OUR_PACKAGES = ("node", "pipelines", "dicom_profiles")
TRACEBACK = "Traceback (most recent call last):"
SAY_AGAIN_S = 60.0
"""How long a sentence of DBOS is not repeated."""
MAX_SENTENCES = 1000
ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes that every log record has; all others came in by `extra`."""


UNPRINTABLE = {
    point: f"\\u{point:04x}"
    for point in (
        *range(0x20),  # C0, line feed and escape among them
        *range(0x7F, 0xA0),  # DEL and C1
        *(0x2028, 0x2029),  # separators of lines and paragraphs
        *(0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),  # directions
    )
}
"""What could end a line, move a terminal's cursor or turn a text around, to its escape.

Texts of others come into lines: AE titles, descriptions, sentences of libraries.
"""


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a log call gave by `extra`."""
    return {key: value for key, value in record.__dict__.items() if key not in ORDINARY}


class Seldom(logging.Filter):
    """Lets a sentence through once a minute, by what stands before its colon.

    While the database is away, each of DBOS's threads says so several times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._again: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it has not been said within the last minute."""
        sentence = record.getMessage().partition(":")[0]
        if record.created < self._again.get(sentence, 0.0):
            return False
        if len(self._again) >= MAX_SENTENCES:
            self._again.clear()
        self._again[sentence] = record.created + SAY_AGAIN_S
        return True


class Discreet(logging.Formatter):
    """Writes where an error arose, and leaves out what a library says of it: it quotes headers."""

    def formatException(  # noqa: N802 - logging's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | Any
    ) -> str:
        """The traceback of an error and of those that led to it, the first one first."""
        error: BaseException | None = ei[1]
        parts: list[str] = []
        while error is not None:
            frames = "".join(traceback.format_tb(error.__traceback__))
            parts.insert(0, f"{TRACEBACK}\n{frames}{_told(error)}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\n".join(parts)


def _told(error: BaseException) -> str:
    """Its class, and its sentence where that is ours or the system's."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    is_ours = kind.__module__.partition(".")[0] in OUR_PACKAGES
    is_of_the_system = isinstance(error, OSError) and kind.__module__ == "builtins"
    return f"{name}: {error}" if is_ours or is_of_the_system else name


class JSONLines(Discreet):
    """One JSON object a line: time (UTC), level, logger, sentence, and what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False).translate(UNPRINTABLE)


class ReadableLines(Discreet):
    """Time of day, level where it matters, sentence, then key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line for a person."""
        clock = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = f"{record.levelname} " if record.levelno >= logging.WARNING else ""
        given = facts_of(record)
        facts = " ".join(f"{key}={value}" for key, value in given.items() if key != "action")
        line = f"{clock} {level}{record.getMessage()}" + (f"  [{facts}]" if facts else "")
        lines = [line]
        if record.exc_info:
            # Indented, so that no line of an exception's text can pass for a line of the log.
            lines += [f"  {each}" for each in self.formatException(record.exc_info).split("\n")]
        return "\n".join(each.translate(UNPRINTABLE) for each in lines)


def set_up_logging(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all log records to one stream, standard error when none is given."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ReadableLines() if stream.isatty() else JSONLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name, least in QUIET_LIBRARIES.items():
        logging.getLogger(name).setLevel(least)
    dbos = logging.getLogger("dbos")  # which gives itself lines of another kind where it finds none
    dbos.handlers[:], dbos.filters[:], dbos.propagate = [handler], [Seldom()], False
