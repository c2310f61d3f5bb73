"""The last two steps of a job, for one destination: dispatch and commitment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from node.commitment.ledger import CommitmentLedger, CommitmentReport
from node.commitment.states import CommitmentState
from node.config import Config, PeerSettings
from node.dispatch.errors import DestinationRefuses, InstancesLost, ServiceNotOffered
from node.dispatch.holdings import Expected, missing
from node.dispatch.ledger import DeliveryLedger, DeliveryStatus
from node.dispatch.outgoing import Answer, Outgoing, read_outgoing
from node.dispatch.sender import sender_for
from node.jobs.ledger import Job
from node.steps.folder import JobFolder, StepError, WrittenSeries

log = logging.getLogger(__name__)

SOURCE = "source"
"""Word of the configuration for the peer that sent the series."""

NOTE_EVERY_S = 0.25
"""So often answers are recorded; what a crash forgets is sent again, the same bytes."""


@dataclass(frozen=True)
class Delivery:
    """Brings the derived series of jobs to destinations and makes sure that they stay there."""

    config: Config
    database: Engine

    def destinations(self, job: Job) -> list[str]:
        """Names of the peers that get the derived series, each once."""
        return list(dict.fromkeys(self.peer(job, name).name for name in job.destinations))

    def peer(self, job: Job, name: str) -> PeerSettings:
        """The peer of that name; 'source' is the one that sent the series.

        Raises:
            DestinationRefuses: there is no such peer in the configuration.
        """
        if name == SOURCE:
            peer = self.config.peer_by_ae_title(job.source_ae)
        else:
            peer = self.config.peer_by_name(name)
        if peer is None:
            who = f"with AE title {job.source_ae!r}" if name == SOURCE else f"named {name!r}"
            raise DestinationRefuses(
                f"There is no peer {who} to send to; add it to the configuration."
            )
        return peer

    def dispatch(self, job: Job, folder: JobFolder, name: str, asked: Callable[[], object]) -> None:
        """Send what the destination does not have yet, one association a series.

        Args:
            job: whose derived series are sent.
            folder: where they lie.
            name: of the destination.
            asked: called after every answer; what it raises stops the sending.

        Raises:
            DestinationUnavailable: the rest may be sent later.
            DestinationRefuses: the destination will never take some of it.
        """
        peer = self.peer(job, name)
        send = sender_for(peer)
        ledger = DeliveryLedger(self.database)
        kept = ledger.kept(job.id, peer.name)
        for series in _written(folder):
            waiting = [one for one in _outgoing(series) if one.sop_instance_uid not in kept]
            if not waiting:
                continue
            notes = Notes(ledger, job.id, peer.name, asked)
            try:
                send(
                    waiting,
                    peer,
                    self.config.node.ae_title,
                    self.config.jobs.answer_timeout_s,
                    notes,
                )
            finally:
                notes.flush()

    def commit(self, job: Job, folder: JobFolder, name: str, asked: Callable[[], None]) -> None:
        """Make sure that the destination keeps everything: by commitment, else by its index.

        Raises:
            InstancesLost: it does not have some of it; they are sent again.
            DestinationUnavailable: it cannot be asked now.
            DestinationRefuses: it offers no way to ask.
        """
        peer = self.peer(job, name)
        written = _written(folder)
        lost = self._by_commitment(job, peer, written, asked)
        if lost is None:
            lost = missing(expected_of(job, written), peer, self.config)
        ledger = DeliveryLedger(self.database)
        if lost:
            ledger.set_status(job.id, peer.name, lost, DeliveryStatus.FAILED)
            raise InstancesLost(f"{peer.name} does not keep {len(lost)} instances that it took.")
        uids = [uid for one in written for uid in one.sop_instance_uids]
        ledger.set_status(job.id, peer.name, uids, DeliveryStatus.COMMITTED)

    def _by_commitment(
        self,
        job: Job,
        peer: PeerSettings,
        written: Sequence[WrittenSeries],
        asked: Callable[[], None],
    ) -> set[str] | None:
        """Instances that a commitment report says are lost; None when there is no report.

        A question that a killed worker asked counts: its report may have come meanwhile.
        """
        if not peer.storage_commitment or peer.send_by != "c-store":
            return None
        ledger = CommitmentLedger(self.database, self.config)
        instances = [one for series in written for one in _outgoing(series)]
        transactions = ledger.asked_before(job.id, peer.name)
        wait_s = self.config.jobs.commitment_timeout_s / 2
        for _ in range(2):  # the question, and once again
            try:
                if not transactions or ledger.report(transactions[-1]).state == "ASKED":
                    transactions.append(ledger.ask(job.id, peer, instances))
            except ServiceNotOffered:
                ledger.expire(transactions)
                return None
            report = ledger.wait(transactions, wait_s, asked)
            if report.state is not CommitmentState.ASKED:
                break
        ledger.expire(transactions)  # what is said later about them is a doubt
        return _lost(report, {one.sop_instance_uid for one in instances}, peer)

    def everywhere(self, job: Job, folder: JobFolder, status: DeliveryStatus) -> bool:
        """Whether every destination has every instance: sent, or committed."""
        ledger = DeliveryLedger(self.database)
        reached = ledger.committed if status is DeliveryStatus.COMMITTED else ledger.kept
        uids = {uid for series in _written(folder) for uid in series.sop_instance_uids}
        return all(uids <= reached(job.id, name) for name in self.destinations(job))


class Notes:
    """Collects answers and records a few at a time.

    Args:
        ledger: where they are recorded.
        job_id: of the job.
        destination: name of the peer.
        asked: called after every answer; what it raises stops the sending.
    """

    def __init__(
        self, ledger: DeliveryLedger, job_id: str, destination: str, asked: Callable[[], object]
    ) -> None:
        self._ledger = ledger
        self._job_id = job_id
        self._destination = destination
        self._asked = asked
        self._answers: list[Answer] = []
        self._flushed = time.monotonic()

    def __call__(self, answer: Answer) -> None:
        """Take one answer."""
        self._answers.append(answer)
        if time.monotonic() - self._flushed > NOTE_EVERY_S:
            self.flush()
        self._asked()

    def flush(self) -> None:
        """Record what was collected."""
        self._ledger.note(self._job_id, self._destination, self._answers)
        self._answers = []
        self._flushed = time.monotonic()


def expected_of(job: Job, written: Sequence[WrittenSeries]) -> list[Expected]:
    """What a destination should hold of a job."""
    return [
        Expected(job.study_instance_uid, one.series_instance_uid, one.sop_instance_uids)
        for one in written
    ]


def _lost(report: CommitmentReport, uids: set[str], peer: PeerSettings) -> set[str] | None:
    """Which of our instances are not kept; None where the report does not say it of each.

    A success names what it is about (PS3.4 table J.3.3-1): what it leaves out is not committed.
    """
    if report.state is CommitmentState.FAILED:
        return uids & set(report.failed) or None
    if report.state is not CommitmentState.COMMITTED:
        return None
    unnamed = uids - report.kept if report.kept is not None else set()
    if not unnamed:
        return set()
    facts = {"action": "commitment_incomplete", "peer": peer.name, "unnamed": len(unnamed)}
    log.warning("a report of commitment leaves out what we asked about", extra=facts)
    return None


def _written(folder: JobFolder) -> list[WrittenSeries]:
    written = folder.written
    if not written:  # the folder was deleted, or is not the one that all workers share
        raise StepError(
            f"There should be derived objects to send in {folder.path.name}, there are none here; "
            "try the job again on the data directory that all workers share."
        )
    return written


def _outgoing(series: WrittenSeries) -> list[Outgoing]:
    return [read_outgoing(path) for path in series.paths]
