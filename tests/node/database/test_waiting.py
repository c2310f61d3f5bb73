"""A database that does not answer is said at once, waited for, and holds up no receiver."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from node.config import NodeSettings
from node.database.tables import open_database, versions
from node.database.versions import TABLES_VERSION
from node.database.waiting import SAY_AFTER_S, DatabaseWait, log_failure, reason_of
from tests.servers import LOOPBACK, free_port, listening, wait_until


def test_it_is_said_once_and_tried_until_it_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    obstacle = tmp_path / "node.sqlite"
    obstacle.mkdir()  # SQLite cannot open it
    wait = DatabaseWait(NodeSettings(data_dir=tmp_path))
    caplog.set_level(logging.WARNING)
    wait_until(lambda: wait.answers() or bool(caplog.records), 30, "a sentence")
    assert not wait.answers()
    obstacle.rmdir()
    wait_until(wait.answers, 30, "the database")
    (record,) = caplog.records
    assert "the database (SQLite, node.database) does not answer" in record.getMessage()
    wait.doubt()
    wait_until(wait.answers, 30, "the database once more")
    wait.stop()


def test_receivers_receive_while_the_database_is_away(tmp_path: Path) -> None:
    port, there = free_port(), free_port()
    file = tmp_path / "node.yaml"
    file.write_text(
        f"node: {{host: {LOOPBACK}, port: {port}, data_dir: {tmp_path / 'data'}, "
        f"database: 'postgresql://node:SECRET@{LOOPBACK}:{there}/scanner'}}\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "node", "receive", "--config", str(file)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        began = time.monotonic()
        wait_until(lambda: "does not answer" in log.read_text(), 60, "the sentence")
        assert time.monotonic() - began < SAY_AFTER_S + 20
        wait_until(lambda: listening(port), 60, "the receivers")
    finally:
        process.terminate()
        process.wait(60)
    text = log.read_text()
    assert text.count("does not answer") == 1
    assert "Traceback" not in text
    assert "SECRET" not in text


def test_a_database_of_a_newer_version_ends_the_program_with_one_sentence(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    engine = open_database(NodeSettings(data_dir=data_dir))
    with engine.begin() as connection:
        connection.execute(versions.update().values(number=TABLES_VERSION + 1))
    engine.dispose()
    file = tmp_path / "node.yaml"
    file.write_text(f"node: {{data_dir: {data_dir}}}\nweb: {{port: {free_port()}}}\n")
    command = [sys.executable, "-m", "node", "web", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("vscanner: ")]
    assert len(said) == 1
    assert "a newer version has used it" in said[0]
    assert "Traceback" not in done.stderr


def test_what_a_database_says_is_cut_to_a_line() -> None:
    assert reason_of(OSError("one\ntwo")) == "one"
    assert reason_of(OSError()) == "OSError"


@pytest.mark.parametrize(
    ("error", "traceback"),
    [(OperationalError("SELECT", {}, OSError("refused\nagain")), False), (OSError("disk"), True)],
)
def test_a_loop_that_goes_on_says_why_in_a_line_where_the_database_is_away(
    error: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log_failure(logging.getLogger("node"), "assembly failed", "assembly_failed", error)
    (record,) = caplog.records
    assert bool(record.exc_info) is traceback
    assert traceback or record.getMessage().endswith("(the database: refused)")
