"""Reports of storage commitment that came too late: is what we thought safe really lost?

A job that is over counts as confirmed, by an earlier report or by the destination's own index.
Then the destination says that it does not keep some of it (PS3.4 J.3.3). Its index is asked once
more: what it lacks is sent again; where it lacks nothing, the job says that the two do not agree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.commitment.ledger import CommitmentLedger
from node.commitment.states import CommitmentState
from node.config import Config, PeerSettings
from node.database.tables import commitments
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.holdings import missing
from node.dispatch.ledger import DeliveryLedger, DeliveryStatus
from node.jobs.ledger import Job, JobLedger, WrongJobState
from node.jobs.states import JobState
from node.steps.folder import JobFolder, WrittenSeries
from node.work import JOBS_FOLDER, Work
from node.working.delivery import expected_of

log = logging.getLogger(__name__)

OVER = frozenset({JobState.COMMITTED, JobState.SENT})
MOST_RUNS = 5
"""A destination that goes on losing what it took is a person's matter."""


class Doubts:
    """Looks into late reports, in a worker.

    Args:
        config: knows the peers.
        database: the node's tables.
        deliver: begins a delivery.
    """

    def __init__(
        self,
        config: Config,
        database: Engine,
        deliver: Callable[[Work], None],
    ) -> None:
        self._config = config
        self._database = database
        self._ledger = JobLedger(database)
        self._deliver = deliver

    def look(self) -> int:
        """Look into every late report; gives how many are settled now."""
        contradicted = commitments.c.state == CommitmentState.CONTRADICTED
        reports: dict[tuple[str, str], list[Any]] = {}
        with self._database.connect() as connection:
            for row in connection.execute(sa.select(commitments).where(contradicted)):
                reports.setdefault((row.job_id, row.destination), []).append(row)
        return sum(self._look_into(rows) for rows in reports.values())

    def _look_into(self, rows: Sequence[Any]) -> int:
        """What a destination reports about one job, in one report or in several."""
        job = self._ledger.get(rows[0].job_id)
        if job is not None and job.state in OVER and job.finished is not None:
            try:
                self._act(job, rows)
            except (DestinationUnavailable, WrongJobState):
                return 0  # asked again the next time
        elif job is not None and job.finished is None:
            return 0  # its present run has to end first
        with self._database.begin() as connection:
            connection.execute(_settled(rows))
        return len(rows)

    def _act(self, job: Job, rows: Sequence[Any]) -> None:
        destination, failed = rows[0].destination, {uid for row in rows for uid in row.failed}
        peer, written = self._config.peer_by_name(destination), self._written(job)
        lost, asked = failed, False
        if peer is not None and written is not None:
            lost, asked = self._lost(job, peer, written, failed), True
        facts = {"action": "commitment_contradicted", "job": job.id, "lost": len(lost)}
        if asked and not lost:
            reason = (
                f"{destination} reported later that it does not keep {len(failed)} of these "
                "objects, though its index shows all of them; ask those who run it."
            )
            self._ledger.update(job.id, reason=reason)
            log.warning("a late report and the destination's index do not agree", extra=facts)
        else:
            self._mend(job, rows, lost)
            log.warning("a destination lost what it had taken", extra=facts)

    def _mend(self, job: Job, rows: Sequence[Any], lost: set[str]) -> None:
        destination = rows[0].destination
        objects = {0: "all", 1: "an object"}.get(len(lost), f"{len(lost)} objects")
        reason = f"{destination} reported later that it does not keep {objects} that it took"
        if job.run >= MOST_RUNS:
            self._ledger.give_up(job, f"{reason}, for the {job.run}th time; ask those who run it.")
        else:
            self._send_again(job, rows, lost, f"{reason}; sending again.")

    def _lost(
        self, job: Job, peer: PeerSettings, written: list[WrittenSeries], failed: set[str]
    ) -> set[str]:
        """What the index lacks; what the report names where there is no index to ask."""
        try:
            return missing(expected_of(job, written), peer, self._config)
        except DestinationRefuses:
            ours = {uid for one in written for uid in one.sop_instance_uids}
            return (failed & ours) or ours

    def _send_again(self, job: Job, rows: Sequence[Any], lost: set[str], reason: str) -> None:
        """The next run and the end of the doubt are one: else that run would be doubted too."""
        ledger, destination = DeliveryLedger(self._database), rows[0].destination
        ledger.set_status(job.id, destination, lost, DeliveryStatus.FAILED)
        CommitmentLedger(self._database, self._config).withdraw(job.id, destination)
        if self._written(job) is None:  # deleted here: it is made again
            self._ledger.run_again(job, reason, _settled(rows))
            return
        again = self._ledger.deliver_again(job, reason, _settled(rows))
        for name in sorted({destination} | ledger.unconfirmed(job.id)):
            self._deliver(Work(again.id, again.run, destination=name))

    def _written(self, job: Job) -> list[WrittenSeries] | None:
        """What the job sent; None where its folder was deleted."""
        return JobFolder(self._config.node.data_dir / JOBS_FOLDER / job.id).written


def _settled(rows: Sequence[Any]) -> sa.Update:
    """The reports are dealt with; another one would be a doubt again."""
    ours = commitments.c.transaction_uid.in_([row.transaction_uid for row in rows])
    return commitments.update().where(ours).values(state=str(CommitmentState.EXPIRED))
