"""Storage commitment reports (PS3.4 J.3.3): what a PACS says of the instances that we sent it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.commitment.states import CommitmentState, state_after
from node.database.tables import commitments
from node.spooling.attributes import header_attributes
from node.spooling.elements import EXPLICIT, Encoding, items, walk
from node.spooling.errors import UnreadableDataset

log = logging.getLogger(__name__)

# PS3.3 C.14
TRANSACTION_UID, FAILED_SOP_SEQUENCE = 0x00081195, 0x00081198
REFERENCED_SOP_SEQUENCE = 0x00081199
REFERENCED_SOP_INSTANCE_UID, FAILURE_REASON = "00081155", "00081197"
ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type ID, PS3.4 J.3.3.1


@dataclass(frozen=True)
class CommitmentReport:
    """The answer to one transaction.

    Attributes:
        transaction_uid: which.
        failed: SOP Instance UID to Failure Reason (0008,1197).
        kept: SOP Instance UIDs that are committed.
    """

    transaction_uid: str
    failed: dict[str, int]
    kept: list[str] = field(default_factory=list)


def read_report(data: bytes, encoding: Encoding = EXPLICIT) -> CommitmentReport:
    """Read the data set of an N-EVENT-REPORT request.

    Raises:
        UnreadableDataset: it is malformed or lacks the Transaction UID.
    """
    transaction, failed, kept = "", {}, []
    for element in walk(data, 0, len(data), encoding):
        if element.tag == TRANSACTION_UID:
            transaction = data[element.start : element.end].decode("latin-1").strip(" \0")
        elif element.tag in (FAILED_SOP_SEQUENCE, REFERENCED_SOP_SEQUENCE):
            for start, stop in items(data, element, encoding):
                item = header_attributes(data, start, stop, encoding)
                uid = str(item.get(REFERENCED_SOP_INSTANCE_UID, {}).get("Value", [""])[0])
                reason = item.get(FAILURE_REASON, {}).get("Value", [0])[0]
                if element.tag == REFERENCED_SOP_SEQUENCE:
                    kept.append(uid)
                else:  # it failed, even where the reason is no number
                    failed[uid] = reason if isinstance(reason, int) else 0
    if not transaction:
        raise UnreadableDataset(
            "The commitment report needs a Transaction UID (0008,1195), got none."
        )
    return CommitmentReport(transaction, failed, kept)


def record_report(database: Engine, report: CommitmentReport, event_type_id: int) -> bool:
    """Write a report into its transaction's row.

    What was committed, or given up and counted otherwise, and is now said not to be kept, is
    marked as such: `node.working.doubts` looks into it.

    Returns:
        Whether we asked for this transaction.
    """
    whole = event_type_id == ALL_COMMITTED and not report.failed
    row = commitments.c
    ours = row.transaction_uid == report.transaction_uid
    values = {"failed": report.failed, "kept": report.kept, "answered": datetime.now(UTC)}
    while True:
        with database.begin() as connection:
            known = connection.scalar(sa.select(row.state).where(ours))
            state = state_after(known, whole)
            change = sa.update(commitments).where(ours, row.state == known)
            change = change.values(state=str(state), **values)
            if known is None or connection.execute(change).rowcount:
                break  # else another report, or a worker, changed it at this moment
    _tell(report, known, state)
    return known is not None


def _tell(report: CommitmentReport, known: str | None, state: CommitmentState) -> None:
    facts = {
        "action": "commitment_reported",
        "transaction_uid": report.transaction_uid,
        "known": known is not None,
        "failed": len(report.failed),
        "kept": len(report.kept),
        "state": str(state),
    }
    if state == CommitmentState.COMMITTED:
        log.info("storage commitment reported", extra=facts)
    else:
        late = " after the transaction was settled" if state == CommitmentState.CONTRADICTED else ""
        log.warning("a destination does not keep what it took; it said so%s", late, extra=facts)
