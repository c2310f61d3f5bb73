"""The SQLite that jobs need."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from node.config import NodeSettings
from node.database import sqlite_version
from node.database.sqlite_version import SqliteTooOld, refuse_old_sqlite
from node.database.tables import open_database


@pytest.mark.parametrize(
    ("python", "sqlite"), [((3, 11), (3, 40, 1)), ((3, 12), (3, 42, 0)), ((3, 13), (3, 53, 2))]
)
def test_what_works_is_taken(python: tuple[int, ...], sqlite: tuple[int, ...]) -> None:
    refuse_old_sqlite(python, sqlite)


@pytest.mark.parametrize("python", [(3, 12), (3, 13)])
def test_one_on_which_no_job_begins_is_refused(python: tuple[int, ...]) -> None:
    with pytest.raises(SqliteTooOld, match=r"3\.42 or newer, got 3\.40\.1; use Python 3\.11"):
        refuse_old_sqlite(python, (3, 40, 1))


def test_a_new_python_asks_for_milliseconds_that_an_old_sqlite_does_not_tell() -> None:
    """What the limit stands for, on the SQLite that is here."""
    ((answer,),) = sqlite3.connect(":memory:").execute("SELECT unixepoch('subsec')").fetchall()
    assert (answer is not None) == (sqlite3.sqlite_version_info >= (3, 42))


def test_the_node_does_not_start_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_version, "ASKING_PYTHON", (3, 0))
    monkeypatch.setattr(sqlite_version, "ANSWERING_SQLITE", (99, 0))
    with pytest.raises(SqliteTooOld, match=r"need SQLite 99\.0"):
        open_database(NodeSettings(data_dir=tmp_path))
    assert not list(tmp_path.iterdir())
