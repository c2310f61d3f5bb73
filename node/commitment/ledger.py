"""Does a destination really keep what we sent? Storage commitment, else its own index.

Storage Commitment Push Model as SCU (PS3.4 annex J): we ask by N-ACTION, and the report comes on
a new association to our receiver, which writes the transaction's row. Where the destination knows
no commitment, its index is asked instead: C-FIND, QIDO-RS or Orthanc's REST.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from sqlalchemy.engine import Engine

from node.commitment.states import CommitmentState
from node.config import Config, PeerSettings
from node.database.tables import commitments
from node.dispatch.associate import associated
from node.dispatch.errors import DestinationUnavailable, ServiceNotOffered
from node.dispatch.outgoing import Outgoing

REQUEST_STORAGE_COMMITMENT = 1  # Action Type ID, PS3.4 table J.3.2-1
POLL_S = 0.05
FORGOTTEN_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class CommitmentReport:
    """What became of a transaction.

    Attributes:
        state: of the transaction.
        failed: SOP Instance UID to Failure Reason (0008,1197) of instances that are not kept.
        kept: SOP Instance UIDs that the report names as committed; None where nobody noted them.
    """

    state: CommitmentState
    failed: Mapping[str, int]
    kept: frozenset[str] | None = None


class CommitmentLedger:
    """Asks for storage commitment and keeps one row a transaction."""

    def __init__(self, database: Engine, config: Config) -> None:
        self.database = database
        self.config = config

    def ask(self, job_id: str, peer: PeerSettings, instances: Iterable[Outgoing]) -> str:
        """Ask a peer to commit itself; the row is there before the question is.

        Returns:
            The Transaction UID.

        Raises:
            ServiceNotOffered: the peer does not offer the service, or refuses the question.
            DestinationUnavailable: the peer cannot be reached now.
        """
        transaction_uid = str(generate_uid(prefix=None))
        with self.database.begin() as connection:
            connection.execute(
                commitments.insert().values(
                    transaction_uid=transaction_uid,
                    job_id=job_id,
                    destination=peer.name,
                    state=str(CommitmentState.ASKED),
                    failed={},
                    asked=datetime.now(UTC),
                )
            )
        question = _question(transaction_uid, instances)
        with associated(peer, self.config, [StorageCommitmentPushModel]) as association:
            _send(association, question, peer)
        return transaction_uid

    def report(self, transaction_uid: str) -> CommitmentReport:
        """What is known of a transaction now."""
        query = sa.select(commitments).where(commitments.c.transaction_uid == transaction_uid)
        with self.database.connect() as connection:
            row = connection.execute(query).one()
        kept = None if row.kept is None else frozenset(row.kept)
        return CommitmentReport(CommitmentState(row.state), dict(row.failed), kept)

    def wait(
        self,
        transaction_uids: Sequence[str],
        timeout_s: float,
        stopped: Callable[[], None] = lambda: None,
    ) -> CommitmentReport:
        """Wait for the report of any of the transactions, all of which ask for the same.

        Args:
            transaction_uids: of the first question and of its repetition.
            timeout_s: after this time the report is ASKED, as it was.
            stopped: called now and then; raises to stop the waiting.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            for transaction_uid in transaction_uids:
                report = self.report(transaction_uid)
                if report.state in (CommitmentState.COMMITTED, CommitmentState.FAILED):
                    return report
            if time.monotonic() >= deadline:
                return CommitmentReport(CommitmentState.ASKED, {})
            stopped()
            time.sleep(POLL_S)

    def asked_before(self, job_id: str, destination: str) -> list[str]:
        """Transactions of this job and destination whose report may still come."""
        query = sa.select(commitments.c.transaction_uid).where(
            commitments.c.job_id == job_id,
            commitments.c.destination == destination,
            commitments.c.state.in_([CommitmentState.ASKED, CommitmentState.COMMITTED]),
            commitments.c.asked > datetime.now(UTC) - FORGOTTEN_AFTER,
        )
        with self.database.connect() as connection:
            return list(connection.execute(query.order_by(commitments.c.asked)).scalars())

    def expire(self, transaction_uids: Iterable[str]) -> None:
        """Give up waiting for these reports."""
        with self.database.begin() as connection:
            connection.execute(
                commitments.update()
                .where(
                    commitments.c.transaction_uid.in_(list(transaction_uids)),
                    commitments.c.state == CommitmentState.ASKED,
                )
                .values(state=str(CommitmentState.EXPIRED))
            )

    def withdraw(self, job_id: str, destination: str) -> None:
        """Let no promise that a destination made, or will make, about what it lost count."""
        counts = commitments.c.state.in_([CommitmentState.ASKED, CommitmentState.COMMITTED])
        with self.database.begin() as connection:
            connection.execute(
                commitments.update()
                .where(
                    commitments.c.job_id == job_id, commitments.c.destination == destination, counts
                )
                .values(state=str(CommitmentState.EXPIRED))
            )


def _question(transaction_uid: str, instances: Iterable[Outgoing]) -> Dataset:
    """Action Information of the request, PS3.4 table J.3.2-1."""
    question = Dataset()
    question.TransactionUID = transaction_uid
    items = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        items.append(item)
    question.ReferencedSOPSequence = items
    return question


def _send(association: Association, question: Dataset, peer: PeerSettings) -> None:
    status, _ = association.send_n_action(
        question,
        REQUEST_STORAGE_COMMITMENT,
        StorageCommitmentPushModel,
        StorageCommitmentPushModelInstance,
    )
    if "Status" not in status:
        raise DestinationUnavailable(f"{peer.name} did not answer the request for commitment.")
    if status.Status != 0x0000:
        raise ServiceNotOffered(
            f"{peer.name} refused the request for commitment: status {status.Status:04X}H."
        )
