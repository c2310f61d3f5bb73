"""The SQLite that jobs need.

From Python 3.12 on, DBOS asks SQLite for milliseconds, which it tells since 3.42; an older one
answers with nothing, and no job would ever begin. Some builds of Python bring an older one.
"""

from __future__ import annotations

import sqlite3
import sys

from node.errors import NodeError

ASKING_PYTHON = (3, 12)
ANSWERING_SQLITE = (3, 42)


class SqliteTooOld(NodeError):  # noqa: N818 - says what is wrong
    """Jobs would wait for ever on this SQLite."""


def refuse_old_sqlite(
    python: tuple[int, ...] = tuple(sys.version_info[:2]),
    sqlite: tuple[int, ...] = sqlite3.sqlite_version_info,
) -> None:
    """Refuse a SQLite on which no job would begin.

    Args:
        python: version of Python.
        sqlite: version of the SQLite that it brings.

    Raises:
        SqliteTooOld: it is.
    """
    if python >= ASKING_PYTHON and sqlite < ANSWERING_SQLITE:
        raise SqliteTooOld(
            f"Under Python {_dotted(python)} jobs need SQLite {_dotted(ANSWERING_SQLITE)} or "
            f"newer, got {_dotted(sqlite)}; use Python 3.11, a Python with a newer SQLite, or "
            "PostgreSQL (node.database)."
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
