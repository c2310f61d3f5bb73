from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembler import Assembler
from node.config import Config
from node.database.tables import associations, instances, jobs, open_database, series
from node.jobs.ledger import JobLedger
from node.spool import Spool
from node.spooling.incoming import exclusive
from tests.node.feeding import (
    decision_of,
    feed,
    look_until_decided,
    make_config,
    only_series,
    series_rows,
)
from tests.node.query_plans import asked
from tests.servers import running, wait_until
from tests.synthetic import write_ct_series


@pytest.fixture
def assembler(config: Config, database: Engine) -> Iterator[Assembler]:
    made = Assembler(config, database)
    yield made
    made.close()


def test_a_low_dose_series_becomes_a_job(
    tmp_path: Path, spool: Spool, assembler: Assembler
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=20, rows=128, columns=128)
    random.Random(1).shuffle(paths)
    feed(spool, paths)
    (row,) = look_until_decided(assembler)
    assert row.state == "ROUTED", row.reason
    assert row.evidence["kind"] == "no_gap"
    assert row.completed_count == 20
    (job,) = assembler.ledger.list()
    assert (str(job.state), job.route, job.source_ae) == ("QUEUED", "low-dose chest", "SCANNER")
    assert len(job.sources["CT"]) == 20
    assert job.evidence["kind"] == "no_gap"
    (stack,) = decision_of(row)["stacks"]
    assert stack["outcome"] == "taken"
    assert [c["keyword"] for c in stack["rules"][0]["conditions"]] == [
        "Modality",
        "SeriesDescription",
    ]


def test_a_look_goes_through_no_series_that_is_decided(
    tmp_path: Path, database: Engine, spool: Spool, assembler: Assembler
) -> None:
    feed(spool, write_ct_series(tmp_path / "ct"))
    look_until_decided(assembler)
    with asked(database) as steps:
        assembler.look()
    assert any("ix_series_late" in step for step in steps)
    assert not any(step.startswith("SCAN series") for step in steps)


def test_it_waits_for_the_quiet_time(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 20, "limit_s": 600})
    now = [datetime.now(UTC)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    feed(assembler.spool, write_ct_series(tmp_path / "ct"))
    for seconds in (0.1, 5, 10):
        now[0] = datetime.now(UTC) + timedelta(seconds=seconds)
        assembler.look()
        assert only_series(database).state == "RECEIVING"
    now[0] = datetime.now(UTC) + timedelta(seconds=21)
    assembler.look()
    assert only_series(database).state != "RECEIVING"
    assembler.close()


def test_a_clock_that_is_set_back_holds_nothing_up(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 20, "limit_s": 60})
    now = [datetime.now(UTC) - timedelta(days=1)]  # what was received came "tomorrow"
    assembler = Assembler(config, database, clock=lambda: now[0])
    paths = write_ct_series(tmp_path / "ct", slices=12)
    feed(assembler.spool, [*paths[:4], *paths[6:]])  # with a gap: it is waited for until the limit
    for _ in range(3):
        assembler.look()
    assert only_series(database).state == "RECEIVING"
    now[0] += timedelta(seconds=61)
    for _ in range(3):
        assembler.look()
    row = only_series(database)
    assert row.evidence.get("kind") == "limit", row.reason
    assembler.close()


def test_what_waits_for_admission_is_not_silence(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 20, "limit_s": 600})
    now = [datetime.now(UTC)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    paths = write_ct_series(tmp_path / "ct", slices=12)
    feed(assembler.spool, paths[:6])
    assembler.look()
    feed(assembler.spool, paths[6:])
    now[0] += timedelta(seconds=60)
    with exclusive(config.node.data_dir / "incoming"):  # as when another process admits, slowly
        assembler.look()
    assert only_series(database).state == "RECEIVING"
    assembler.look()
    row = only_series(database)
    assert (row.state, row.completed_count, row.revision) == ("ROUTED", 12, 1)
    assembler.close()


def test_what_comes_during_a_long_look_is_not_silence(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 20, "limit_s": 600})
    assembler = Assembler(config, database, clock=lambda: next(times))
    start = datetime.now(UTC)
    for name in ("one", "two"):
        feed(assembler.spool, write_ct_series(tmp_path / name, slices=12))
    times = (start + timedelta(seconds=60 * n) for n in range(20))
    assembler.look()  # every question for the time finds it a minute later
    assert [row.state for row in series_rows(database)] == ["RECEIVING", "RECEIVING"]
    assembler.close()


def test_a_gap_waits_until_the_limit_and_is_refused(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 0.1, "limit_s": 100})
    now = [datetime.now(UTC)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    paths = write_ct_series(tmp_path / "ct", slices=16)
    feed(assembler.spool, paths[:7] + paths[8:])
    now[0] += timedelta(seconds=50)
    assembler.look()
    row = only_series(database)
    assert row.state == "RECEIVING"
    assert "missing" in row.reason
    now[0] += timedelta(seconds=60)
    assembler.look()
    row = only_series(database)
    assert (row.state, row.evidence["kind"]) == ("REFUSED", "limit")
    assert any("missing" in finding for finding in row.evidence["findings"])
    (job,) = assembler.ledger.list()
    assert str(job.state) == "REFUSED"
    assert job.reason
    assembler.close()


def test_a_late_image_closes_the_gap_at_once(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 0.1, "limit_s": 100})
    assembler = Assembler(config, database)
    paths = write_ct_series(tmp_path / "ct", slices=16)
    feed(assembler.spool, paths[:7] + paths[8:])
    wait_until(lambda: bool(assembler.look()) and "missing" in only_series(database).reason)
    feed(assembler.spool, [paths[7]])
    (row,) = look_until_decided(assembler)
    assert (row.state, row.evidence["kind"], row.revision) == ("ROUTED", "no_gap", 1)
    assembler.close()


def test_late_images_open_a_new_revision_with_its_own_job(
    tmp_path: Path, spool: Spool, assembler: Assembler
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=24, rows=128, columns=128)
    for revision, (before, here) in enumerate([(0, 20), (20, 23), (23, 24)], start=1):
        feed(spool, paths[before:here])
        (row,) = look_until_decided(assembler)
        assert (row.revision, row.completed_count, row.state) == (revision, here, "ROUTED")
        assert assembler._rows() == [], "what is decided is not looked at again"
    found = assembler.ledger.list()
    made = sorted((job.revision, len(job.sources["CT"])) for job in found)
    assert made == [(1, 20), (2, 23), (3, 24)]


def test_late_images_have_a_quiet_time_of_their_own(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 20, "limit_s": 60})
    now = [datetime.now(UTC) + timedelta(seconds=21)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    paths = write_ct_series(tmp_path / "ct", slices=22)
    feed(assembler.spool, paths[:20])
    assembler.look()
    assert only_series(database).state == "ROUTED"
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with database.begin() as connection:
        connection.execute(instances.update().values(received=yesterday))
        connection.execute(series.update().values(completed=yesterday))
    feed(assembler.spool, paths[20:])
    for seconds, state in ((2, "RECEIVING"), (15, "RECEIVING"), (21, "ROUTED")):
        now[0] = datetime.now(UTC) + timedelta(seconds=seconds)
        assembler.look()
        assembler.look()
        assert only_series(database).state == state
    assert only_series(database).evidence["kind"] == "no_gap"
    assembler.close()


def test_the_same_series_again_is_the_same_job(
    tmp_path: Path, spool: Spool, assembler: Assembler
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=20)
    feed(spool, paths)
    look_until_decided(assembler)
    feed(spool, paths)
    assembler.look()
    (row,) = look_until_decided(assembler)
    assert row.revision == 1
    assert len(assembler.ledger.list()) == 1


def test_a_person_may_force_it(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 500, "limit_s": 600})
    assembler = Assembler(config, database)
    feed(assembler.spool, write_ct_series(tmp_path / "ct"))
    assembler.look()
    assert only_series(database).state == "RECEIVING"
    with database.begin() as connection:
        connection.execute(sa.update(series).values(force_complete=True))
    assembler.look()
    row = only_series(database)
    assert (row.evidence["kind"], row.force_complete) == ("forced", False)
    assembler.close()


def test_an_aborted_association_doubles_the_quiet_time(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path, assembly={"quiet_s": 10, "limit_s": 600})
    now = [datetime.now(UTC)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    feed(assembler.spool, write_ct_series(tmp_path / "ct"))
    assembler.look()
    row = only_series(database)
    values = {
        "association": "a1",
        "series_instance_uid": row.series_instance_uid,
        "source_ae": "SCANNER",
        "outcome": "ABORTED",
        "instance_count": 12,
        "ended": datetime.now(UTC),
    }
    with database.begin() as connection:
        connection.execute(associations.insert().values(values))
    now[0] += timedelta(seconds=15)
    assembler.look()
    assert only_series(database).state == "RECEIVING"
    now[0] += timedelta(seconds=10)
    assembler.look()
    assert only_series(database).state != "RECEIVING"
    assembler.close()


def test_a_series_that_no_rule_takes_says_why(
    tmp_path: Path, spool: Spool, assembler: Assembler
) -> None:
    feed(spool, write_ct_series(tmp_path / "ct", series_description="Thorax 5.0 B70f"))
    (row,) = look_until_decided(assembler)
    assert row.state == "UNROUTED"
    assert "SeriesDescription: wanted matches (?i)low.?dose" in row.reason
    assert assembler.ledger.list() == []


def test_a_refused_series_is_a_refused_job(
    tmp_path: Path, spool: Spool, assembler: Assembler
) -> None:
    feed(spool, write_ct_series(tmp_path / "ct", slices=2))
    (row,) = look_until_decided(assembler)
    assert row.state == "REFUSED"
    (job,) = assembler.ledger.list()
    assert str(job.state) == "REFUSED"
    assert "slices" in job.reason


def test_an_odd_series_does_not_stop_the_others(
    tmp_path: Path, spool: Spool, assembler: Assembler, database: Engine
) -> None:
    feed(spool, write_ct_series(tmp_path / "odd", slices=3))
    feed(spool, write_ct_series(tmp_path / "good", slices=20))
    spool.admit_incoming()
    odd = min(series_rows(database), key=lambda row: row.instance_count)
    with database.begin() as connection:  # a column that no code of ours would write
        this = series.c.series_instance_uid == odd.series_instance_uid
        odd_values = {"state": "COMPLETE", "completed_count": 3, "evidence": "odd"}
        connection.execute(sa.update(series).where(this).values(odd_values))
    wait_until(
        lambda: bool(assembler.look()) and len(assembler.ledger.list()) == 1, what="the good one"
    )
    (bad,) = [r for r in series_rows(database) if r.instance_count == 3]
    assert "tries again" in bad.reason


def test_what_fails_is_tried_again_after_longer_and_longer(
    tmp_path: Path, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    now = [datetime.now(UTC) + timedelta(seconds=1)]
    assembler = Assembler(make_config(tmp_path), database, clock=lambda: now[0])
    feed(assembler.spool, write_ct_series(tmp_path / "odd", slices=3))
    assembler.spool.admit_incoming()
    with database.begin() as connection:  # a column that no code of ours would write
        odd_values = {"state": "COMPLETE", "completed_count": 3, "evidence": "odd"}
        connection.execute(sa.update(series).values(odd_values))
    start, tries = now[0], []
    for second in [*range(1500), 0]:  # at last the clock is set back
        now[0] = start + timedelta(seconds=second)
        caplog.clear()
        assembler.look()
        if any(getattr(record, "action", "") == "series_failed" for record in caplog.records):
            tries.append(second)
    assert tries == [0, 5, 15, 35, 75, 155, 315, 615, 915, 1215, 0]
    assembler.close()


@pytest.mark.parametrize("left_by_the_crash", ["job made", "no job yet"])
def test_a_crash_between_complete_and_routed_is_mended(
    tmp_path: Path, spool: Spool, assembler: Assembler, database: Engine, left_by_the_crash: str
) -> None:
    feed(spool, write_ct_series(tmp_path / "ct", slices=20))
    (row,) = look_until_decided(assembler)
    with database.begin() as connection:
        connection.execute(sa.update(series).values(state="COMPLETE", decision={}))
        if left_by_the_crash == "no job yet":
            connection.execute(sa.delete(jobs))
    again = Assembler(assembler.config, database)
    (mended,) = look_until_decided(again)
    again.close()
    assert mended.decision == row.decision
    assert (mended.state, mended.revision) == ("ROUTED", 1)
    assert len(JobLedger(database).list()) == 1


def test_it_decides_at_once_when_the_quiet_time_ends(tmp_path: Path, database: Engine) -> None:
    """On a clock that moves only by the waits which the assembler itself asks for.

    Everything that takes time was done before: the files are not needed any more.
    """
    quiet_s = 3
    config = make_config(tmp_path, assembly={"quiet_s": quiet_s, "limit_s": 600})
    now = [datetime.now(UTC)]
    assembler = Assembler(config, database, clock=lambda: now[0])
    feed(assembler.spool, write_ct_series(tmp_path / "ct", slices=100))
    assembler.look()
    last = now[0] = only_series(database).last_received
    spool = config.node.data_dir / "spool"
    while True:
        pause_s = assembler.look()
        if only_series(database).state == "ROUTED":
            break
        now[0] += timedelta(seconds=pause_s)
        assert now[0] - last < timedelta(seconds=30)
        if spool.exists() and now[0] - last > timedelta(seconds=quiet_s - 0.5):
            spool.rename(tmp_path / "taken away")
    assert not spool.exists()
    assert 0 <= (now[0] - last).total_seconds() - quiet_s < 0.3
    assert len(assembler.ledger.list()) == 1
    assembler.close()


def test_killed_anywhere_it_comes_to_the_same_end(tmp_path: Path, database: Engine) -> None:
    config = make_config(tmp_path)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    spool = Spool(config.node.data_dir, database)
    found = [write_ct_series(tmp_path / str(i), slices=16, seed=i) for i in range(3)]
    command = [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from node.config import Config;"
        "from node.assembler import main;"
        "main(Config.model_validate_json(Path(sys.argv[1]).read_text()))",
        str(tmp_path / "config.json"),
    ]
    for index, paths in enumerate(found):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        feed(spool, paths)
        # kill it at another moment each time: while admitting, while waiting, while routing
        wait_until(lambda n=index + 1: len(series_rows(database)) >= n, 60, "admission")  # type: ignore[misc]
        time.sleep(0.3 * index)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assembler = Assembler(config, database)
    rows = look_until_decided(assembler)
    assembler.close()
    assert [(row.state, row.completed_count) for row in rows] == [("ROUTED", 16)] * 3
    assert len(assembler.ledger.list()) == 3


@pytest.mark.postgresql
def test_it_works_on_postgresql(tmp_path: Path, postgresql: str) -> None:
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE DATABASE assembler")
    url = postgresql.rsplit("/", 1)[0] + "/assembler"
    config = make_config(tmp_path, node={"data_dir": str(tmp_path / "data"), "database": url})
    engine = open_database(config.node)
    assembler = Assembler(config, engine)
    paths = write_ct_series(tmp_path / "ct", slices=24)
    feed(assembler.spool, paths[:20])
    (first,) = look_until_decided(assembler)
    feed(assembler.spool, paths[20:])
    (second,) = look_until_decided(assembler)
    assert [(row.state, row.revision) for row in (first, second)] == [("ROUTED", 1), ("ROUTED", 2)]
    assert len(assembler.ledger.list()) == 2
    assembler.close()
    engine.dispose()


ASSEMBLER = """
import sys
from pathlib import Path
from node.assembler import main
from node.config_file import load_config
from node.logs import set_up_logging
set_up_logging()
main(load_config(Path(sys.argv[1])))
"""


@pytest.mark.postgresql
def test_it_waits_for_a_database_that_goes_away_as_it_starts(
    tmp_path: Path, postgresql: str, postgresql_server: str
) -> None:
    """It answered the service a moment before; that it does not now is a line, and no end."""
    config = make_config(tmp_path, node={"data_dir": str(tmp_path), "database": postgresql})
    file, log = tmp_path / "node.yaml", tmp_path / "log"
    file.write_text(config.model_dump_json(include={"node": {"data_dir", "database"}}))
    engine = open_database(config.node)
    feed(Spool(tmp_path, engine), write_ct_series(tmp_path / "ct", slices=1))
    engine.dispose()
    with psycopg.connect(postgresql_server, autocommit=True) as server:
        allow = f"ALTER DATABASE {postgresql.rsplit('/', 1)[1]} WITH ALLOW_CONNECTIONS "
        server.execute(allow + "false")
        with running([sys.executable, "-c", ASSEMBLER, str(file)], log) as process:
            wait_until(
                lambda: process.poll() is not None or "trying again" in log.read_text(), 60, "word"
            )
            server.execute(allow + "true")
            wait_until(lambda: process.poll() is not None or bool(series_rows(engine)), 60, "a row")
        assert process.returncode == 0
    assert "Traceback" not in log.read_text()
    engine.dispose()
