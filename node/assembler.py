"""The assembler process: received instances become complete series, and those become jobs.

It looks at the open series several times a second: admits what was received, reads new headers
while images still arrive, decides (`node.assembling.assembly`), asks the rules
(`node.routing.rules`) and makes jobs. Whatever the line at which it is killed, the next run comes
to the same end: a series is marked complete before its jobs are made, and the same job is made
only once.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembling.assembly import (
    OPEN,
    SETTLE_S,
    AssemblyDecision,
    SeriesFacts,
    SeriesState,
    decide,
)
from node.assembling.positions import Positions
from node.assembling.questions import Questions
from node.config import Config
from node.database.tables import associations, instances, series, unopened_database
from node.database.waiting import log_failure
from node.jobs.ledger import JobLedger
from node.receiving.performed_steps import performed_count
from node.routing.open_series import OpenSeries, SeriesReader
from node.routing.routed_jobs import decision_json, make_jobs, reason_after, state_after
from node.routing.rules import compile_rules
from node.routing.study_groups import StudyGroups
from node.spool import Spool

log = logging.getLogger(__name__)

IDLE_S = 0.2
"""Longest pause between two looks."""
BUSY_S = 0.02
"""Pause while there is something to do at once."""
FAILED_PAUSE_S = 5.0
"""After an unexpected error a series is left alone so long; doubled each time."""
LONGEST_FAILED_PAUSE_S = 300.0


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Assembler:
    """Looks at open series and moves them on.

    Args:
        config: the node's configuration.
        database: the node's tables.
        clock: gives the time, with its zone.
    """

    def __init__(
        self, config: Config, database: Engine, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.config = config
        self.database = database
        self.clock = clock
        self.ledger = JobLedger(database)
        self.spool = Spool(config.node.data_dir, database)
        self.rules = compile_rules(config.routes)
        self._reader = SeriesReader(config.node.data_dir, database)
        self._questions = Questions(config, clock)
        self._study_groups = StudyGroups(database, self._reader, self.rules, config.assembly)
        self._failures: dict[str, tuple[int, datetime]] = {}

    def close(self) -> None:
        """End the threads that ask peers."""
        self._questions.close()

    def look(self) -> float:
        """Admit, decide and route once.

        Returns:
            Seconds until the next look is worth while.
        """
        admitted = self.spool.admit_incoming()
        again = [BUSY_S] if admitted else [IDLE_S]
        # Silence counts only up to here: what comes during a long look is not in its rows.
        known_until = self.spool.admitted_until(self.clock())
        for row in self._rows():
            due = self._look_at(row, known_until)
            again.append((due - self.clock()).total_seconds())
        return max(BUSY_S, min(again))

    def _rows(self) -> list[Any]:
        """Series that are open, and closed ones to which images were added."""
        late = series.c.instance_count - series.c.completed_count > 0
        query = sa.select(series).where(sa.or_(series.c.state.in_(OPEN), late))
        with self.database.connect() as connection:
            found = list(connection.execute(query))
        # Sorted here: SQLite would go through all series that ever came, in this order.
        return sorted(found, key=lambda row: row.last_received)

    def _look_at(self, row: Any, now: datetime) -> datetime:
        """Move one series on, by what was known then; says when to look at it again."""
        uid = row.series_instance_uid
        failures, not_before = self._failures.get(uid, (0, now))
        if now < not_before <= now + timedelta(seconds=LONGEST_FAILED_PAUSE_S):
            return not_before
        if row.last_received > now and row.last_received > self.clock():
            return self._count_from_now(row)
        try:
            due = self._advance(row, now)
        except Exception:  # boundary: process loop; one odd series must not stop the others
            pause = min(FAILED_PAUSE_S * 2**failures, LONGEST_FAILED_PAUSE_S)
            self._failures[uid] = failures + 1, now + timedelta(seconds=pause)
            facts = {"action": "series_failed", "series": uid}
            log.exception("a series could not be assembled; trying again later", extra=facts)
            self._say(row, "The node failed on this series and tries again; its log says why.")
            return now + timedelta(seconds=pause)
        self._failures.pop(uid, None)
        return due

    def _advance(self, row: Any, now: datetime) -> datetime:
        if row.instance_count > row.completed_count and row.state != SeriesState.RECEIVING:
            return self._reopen(row, now)
        opened = self._reader.read(row)
        if opened is None:  # a long series: its headers are read in portions
            return now
        if row.state == SeriesState.COMPLETE:
            return self._route(row, opened, row.evidence, now)
        decision = self._decide(row, opened, now)
        if decision.ask:
            self._questions.ask(row, opened.count)
        if not decision.complete or decision.evidence is None:
            self._say(row, decision.reason)
            if self._is_settled(row, now):  # so that the answer is ready when the series is
                opened.explanation(self.rules, row.source_ae)
            return decision.again_at
        evidence = decision.evidence.to_json()
        evidence["findings"] += opened.findings
        self._mark_complete(row, opened, evidence, now)
        return self._route(row, opened, evidence, now)

    def _decide(self, row: Any, opened: OpenSeries, now: datetime) -> AssemblyDecision:
        look_closer = row.force_complete or self._is_settled(row, now)
        began, gone = self._revision(row)
        facts = SeriesFacts(
            instances=opened.count,
            opened=began,
            last_received=row.last_received,
            forced=row.force_complete,
            released=self._released(row) if self._is_settled(row, now) else None,
            can_ask=self._questions.can_ask(row.source_ae),
            answer=self._questions.answer(row.series_instance_uid),
            performed=(
                performed_count(self.database, row.series_instance_uid) if look_closer else None
            ),
            positions=opened.positions() if look_closer else Positions(),
            gone=gone,
        )
        return decide(facts, self.config.assembly, now)

    def _revision(self, row: Any) -> tuple[datetime, int]:
        """When the present revision began to come; how many images of earlier ones are deleted."""
        if row.completed is None:
            return row.first_received, 0
        columns = instances.c
        late = sa.and_(columns.deleted.is_(None), columns.received > row.completed)
        query = sa.select(
            sa.func.min(sa.case((late, columns.received))), sa.func.count(columns.deleted)
        ).where(columns.series_instance_uid == row.series_instance_uid)
        with self.database.connect() as connection:
            began, gone = connection.execute(query).one()
        return min(began or row.completed, row.last_received), gone

    def _is_settled(self, row: Any, now: datetime) -> bool:
        """Whether the latest image came some time ago."""
        settle_s = min(SETTLE_S, self.config.assembly.quiet_s)
        return bool((now - row.last_received).total_seconds() >= settle_s)

    def _released(self, row: Any) -> bool | None:
        """How the association of the latest images ended; None while it has not."""
        columns = associations.c
        query = (
            sa.select(columns.outcome)
            .where(
                columns.series_instance_uid == row.series_instance_uid,
                columns.ended >= row.last_received,
            )
            .order_by(columns.ended.desc())
            .limit(1)
        )
        with self.database.connect() as connection:
            outcome = connection.scalar(query)
        return None if outcome is None else outcome == "RELEASED"

    def _count_from_now(self, row: Any) -> datetime:
        """The clock was set back: silence and limit count from now, not from a time to come."""
        now = self.clock()
        times = {"last_received": now, "first_received": min(row.first_received, now)}
        times |= {"completed": min(row.completed, now)} if row.completed else {}
        self._update(row, **times)
        facts = {"action": "clock_set_back", "series": row.series_instance_uid}
        log.warning("a series came later than now: the clock was set back", extra=facts)
        return now

    def _reopen(self, row: Any, now: datetime) -> datetime:
        """Late images: a new revision begins, and will be a job of its own."""
        late = row.instance_count - row.completed_count
        reason = f"{late} image(s) came late; revision {row.revision + 1} begins."
        self._update(row, state=SeriesState.RECEIVING, revision=row.revision + 1, reason=reason)
        facts = {
            "action": "series_reopened",
            "series": row.series_instance_uid,
            "revision": row.revision + 1,
            "late": late,
        }
        log.info("late images opened a new revision", extra=facts)
        return now

    def _mark_complete(
        self, row: Any, opened: OpenSeries, evidence: dict[str, Any], now: datetime
    ) -> None:
        self._update(
            row,
            state=SeriesState.COMPLETE,
            completed=now,
            completed_count=opened.count,
            force_complete=False,
            evidence=evidence,
            reason=evidence["sentence"],
        )

    def _route(
        self, row: Any, opened: OpenSeries, evidence: dict[str, Any], now: datetime
    ) -> datetime:
        """Ask the rules, wait for partners, make the jobs, close the revision."""
        explanation = opened.explanation(self.rules, row.source_ae)
        groups = self._study_groups.groups_of(row, explanation)
        due = self._study_groups.wait_until(row, groups, evidence, now)
        if due is not None:
            missing = ", ".join(dict.fromkeys(key for group in groups for key in group.missing))
            self._say(row, f"Complete; waiting for a {missing} of the same study to come.")
            return min(due, now + timedelta(seconds=IDLE_S))
        jobs = make_jobs(self.ledger, self.config, (explanation, groups), row, evidence)
        state, reason = state_after(explanation, groups), reason_after(explanation, groups)
        self._update(row, state=state, decision=decision_json(explanation, groups), reason=reason)
        self._reader.forget(row.series_instance_uid)
        self._questions.forget(row.series_instance_uid)
        facts = {
            "action": "series_decided",
            "series": row.series_instance_uid,
            "revision": row.revision,
            "instances": opened.count,
            "evidence": evidence.get("kind"),
            "state": str(state),
            "jobs": [job.id for job in jobs],
        }
        log.info("a series is complete and decided", extra=facts)
        return self.clock() + timedelta(seconds=IDLE_S)

    def _say(self, row: Any, reason: str) -> None:
        """Tell people what the series waits for, when that has changed."""
        if reason != row.reason:
            self._update(row, reason=reason)

    def _update(self, row: Any, **values: Any) -> None:
        """Change the row unless another revision has begun meanwhile."""
        columns = series.c
        statement = sa.update(series).where(
            columns.series_instance_uid == row.series_instance_uid,
            columns.revision == row.revision,
        )
        with self.database.begin() as connection:
            connection.execute(statement.values(**values))


def main(config: Config) -> None:
    """Body of the assembler process, until SIGTERM; waits for a database that is away."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    assembler = Assembler(config, unopened_database(config.node))  # the service has opened it
    log.info("assembling", extra={"action": "assembler_started", "routes": len(config.routes)})
    pause_s = 0.0
    while not stopping.wait(pause_s):
        try:
            pause_s = assembler.look()
        except Exception as error:  # noqa: BLE001 - process loop: database or disk may come back
            log_failure(log, "assembly failed; trying again", "assembly_failed", error)
            pause_s = FAILED_PAUSE_S
    assembler.close()
