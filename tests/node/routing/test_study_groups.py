"""Pairing while a study arrives: waiting, late partners, fallback. Real spool, real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembler import Assembler
from node.config import AssemblySettings, NodeSettings
from node.database.tables import open_database, series
from node.jobs.ledger import Job
from node.routing.open_series import SeriesReader
from node.routing.pairing import Group
from node.routing.study_groups import StudyGroups
from pipelines import catalog
from pipelines.contract import GateVerdict
from tests.dual_echo import write_dual_echo
from tests.node.feeding import decision_of, feed, look_until_decided, make_config, series_rows
from tests.servers import wait_until

pytestmark = pytest.mark.skipif(
    "mr_to_ct" not in catalog.names(), reason="the pipeline of two inputs is not installed"
)
ROUTE = {"name": "mr", "pipeline": "mr_to_ct", "when": {"Modality": "MR"}}
PARTNER_S = 3.0


@pytest.fixture
def assembler(tmp_path: Path) -> Iterator[Assembler]:
    config = make_config(
        tmp_path,
        assembly={"quiet_s": 0.3, "limit_s": 60, "partner_s": PARTNER_S},
        routes=[ROUTE],
    )
    database: Engine = open_database(config.node)
    made = Assembler(config, database)
    yield made
    made.close()
    database.dispose()


def rows_by_series(assembler: Assembler) -> dict[str, Any]:
    return {row.series_instance_uid: row for row in series_rows(assembler.database)}


def newest(assembler: Assembler) -> list[Job]:
    return list(assembler.ledger.list())


@pytest.mark.parametrize("one_series", [True, False])
def test_both_echoes_become_one_job(tmp_path: Path, assembler: Assembler, one_series: bool) -> None:
    files = write_dual_echo(tmp_path / "mr", one_series=one_series)
    feed(assembler.spool, [*files["IP"], *files["OOP"]])
    rows = look_until_decided(assembler)
    assert {row.state for row in rows} == {"ROUTED"}
    (job,) = newest(assembler)
    assert (str(job.state), list(job.sources)) == ("QUEUED", ["IP", "OOP"])
    assert set(job.source_series) == {row.series_instance_uid for row in rows}
    assert job.evidence["inputs"]["missing"] == []
    assert "one grid" in rows[0].reason
    assert decision_of(rows[0])["groups"][0]["inputs"].keys() == {"IP", "OOP"}


def test_a_stack_waits_for_its_partner_until_the_study_is_quiet(
    tmp_path: Path, assembler: Assembler
) -> None:
    files = write_dual_echo(tmp_path / "mr")
    feed(assembler.spool, files["IP"])

    def waits() -> bool:
        assembler.look()
        return any("waiting for a OOP" in row.reason for row in series_rows(assembler.database))

    wait_until(waits, 30, "the in-phase series to wait")
    assert newest(assembler) == []
    feed(assembler.spool, files["OOP"])
    look_until_decided(assembler)
    (job,) = newest(assembler)
    assert list(job.sources) == ["IP", "OOP"]


def test_without_a_partner_the_smaller_set_is_used_and_said(
    tmp_path: Path, assembler: Assembler
) -> None:
    feed(assembler.spool, write_dual_echo(tmp_path / "mr", ("IP",))["IP"])
    (row,) = look_until_decided(assembler)
    (job,) = newest(assembler)
    assert (row.state, list(job.sources)) == ("ROUTED", ["IP"])
    assert job.evidence["inputs"]["missing"] == ["OOP"]
    assert "IP alone is translated" in row.reason


def test_a_late_partner_makes_the_better_job_too(tmp_path: Path, assembler: Assembler) -> None:
    files = write_dual_echo(tmp_path / "mr")
    feed(assembler.spool, files["IP"])
    look_until_decided(assembler)
    feed(assembler.spool, files["OOP"])
    look_until_decided(assembler)
    assert sorted(list(job.sources) for job in newest(assembler)) == [["IP"], ["IP", "OOP"]]


def test_opposed_phase_alone_is_refused_in_words(tmp_path: Path, assembler: Assembler) -> None:
    feed(assembler.spool, write_dual_echo(tmp_path / "mr", ("OOP",))["OOP"])
    (row,) = look_until_decided(assembler)
    (job,) = newest(assembler)
    assert (row.state, str(job.state)) == ("REFUSED", "REFUSED")
    assert "only OOP is here" in job.reason


def test_a_refused_phase_is_named_where_the_other_alone_is_not_enough(
    tmp_path: Path, assembler: Assembler
) -> None:
    files = write_dual_echo(tmp_path / "mr", of_key={"IP": {"BodyPartExamined": "HEAD"}})
    feed(assembler.spool, [*files["IP"], *files["OOP"]])
    rows = look_until_decided(assembler)
    assert [row.state for row in rows] == ["REFUSED", "REFUSED"]
    jobs = newest(assembler)
    assert {tuple(job.sources) for job in jobs} == {("IP",), ("OOP",)}
    reasons = {job.reason for job in jobs}
    assert len(reasons) == 2
    (of_oop,) = (reason for reason in reasons if "only OOP can be used" in reason)
    assert "The IP of this study cannot be used. The body part is HEAD" in of_oop


def test_what_is_in_doubt_is_held_before_anything_is_done(
    tmp_path: Path, assembler: Assembler
) -> None:
    odd = {"ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": "opposed phase"}
    feed(assembler.spool, write_dual_echo(tmp_path / "mr", ("IP",), of_key={"IP": odd})["IP"])
    look_until_decided(assembler)
    (job,) = newest(assembler)
    assert (str(job.state), job.step) == ("HELD", "")
    assert "contradicts" in job.reason
    after = assembler.ledger.release(job.id)
    assert (str(after.state), after.accept_held) == ("QUEUED", False)


QUIET_S, WAITED_S, LIMIT_S = 10.0, 30.0, 100.0


@pytest.mark.parametrize(
    ("completed_s", "other", "kind", "missing", "further_s"),
    [
        (0, ("COMPLETE", 0), "count", ("OOP",), WAITED_S),
        (50, ("COMPLETE", 5), "count", ("OOP",), WAITED_S - 5),  # since anything of the study came
        (50, ("COMPLETE", 30), "count", ("OOP",), None),
        (50, ("RECEIVING", 40), "count", ("OOP",), QUIET_S),  # the partner comes just now, slowly
        (95, ("COMPLETE", 0), "count", ("OOP",), LIMIT_S - 95),
        (100, ("RECEIVING", 0), "count", ("OOP",), None),
        (900, ("COMPLETE", 0), "count", ("OOP",), WAITED_S),  # decided then, and more came now
        (0, ("COMPLETE", 0), "forced", ("OOP",), None),
        (0, ("COMPLETE", 0), "count", (), None),
    ],
)
def test_how_much_longer_a_partner_is_waited_for(
    tmp_path: Path,
    completed_s: float,
    other: tuple[str, float],
    kind: str,
    missing: tuple[str, ...],
    further_s: float | None,
) -> None:
    database, now = open_database(NodeSettings(data_dir=tmp_path)), datetime.now(UTC)
    completed, came = (now - timedelta(seconds=s) for s in (completed_s, other[1]))
    of_both = {"study_instance_uid": "1.2", "source_ae": "MR1", "evidence": {}, "decision": {}}
    with database.begin() as connection:
        state_then = "ROUTED" if completed_s > LIMIT_S else "COMPLETE"
        for uid, state, last in (("1.3", state_then, completed), ("1.4", other[0], came)):
            times = {"first_received": last, "last_received": last, "completed": completed}
            row = {"series_instance_uid": uid, "state": state, **times, **of_both}
            connection.execute(series.insert().values(row))
        first = sa.select(series).where(series.c.series_instance_uid == "1.3")
        own = connection.execute(first).one()
    settings = AssemblySettings(quiet_s=QUIET_S, partner_s=WAITED_S, limit_s=LIMIT_S)
    study = StudyGroups(database, SeriesReader(tmp_path, database), (), settings)
    group = Group((), missing, (), GateVerdict.from_reasons(()))
    until = study.wait_until(own, [group], {"kind": kind}, now)
    assert until == (None if further_s is None else now + timedelta(seconds=further_s))
    database.dispose()
