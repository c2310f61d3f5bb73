"""Storage commitment reports (PS3.4 J.3.3): what a PACS says of the instances that we sent it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.database import commitments
from node.spooling.attributes import header_attributes
from node.spooling.elements import EXPLICIT, Encoding, items, walk
from node.spooling.errors import UnreadableDataset

log = logging.getLogger(__name__)

# PS3.3 C.14
TRANSACTION_UID, FAILED_SOP_SEQUENCE = 0x00081195, 0x00081198
REFERENCED_SOP_INSTANCE_UID, FAILURE_REASON = "00081155", "00081197"
ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type ID, PS3.4 J.3.3.1
COMMITTED, FAILED = "COMMITTED", "FAILED"


@dataclass(frozen=True)
class CommitmentReport:
    """The answer to one transaction: `failed` maps SOP Instance UID to Failure Reason."""

    transaction_uid: str
    failed: dict[str, int]


def read_report(data: bytes, encoding: Encoding = EXPLICIT) -> CommitmentReport:
    """Read the data set of an N-EVENT-REPORT request.

    Raises:
        UnreadableDataset: it is malformed or lacks the Transaction UID.
    """
    transaction, failed = "", {}
    for element in walk(data, 0, len(data), encoding):
        if element.tag == TRANSACTION_UID:
            transaction = data[element.start : element.end].decode("latin-1").strip(" \0")
        elif element.tag == FAILED_SOP_SEQUENCE:
            for start, stop in items(data, element, encoding):
                item = header_attributes(data, start, stop, encoding)
                uid = item.get(REFERENCED_SOP_INSTANCE_UID, {}).get("Value", [""])[0]
                failed[str(uid)] = int(item.get(FAILURE_REASON, {}).get("Value", [0])[0])
    if not transaction:
        raise UnreadableDataset(
            "The commitment report needs a Transaction UID (0008,1195), got none."
        )
    return CommitmentReport(transaction, failed)


def record_report(database: Engine, report: CommitmentReport, event_type_id: int) -> bool:
    """Write a report into its transaction's row; what was committed stays committed.

    Returns:
        Whether we asked for this transaction.
    """
    whole = event_type_id == ALL_COMMITTED and not report.failed
    row = commitments.c
    with database.begin() as connection:
        known = connection.scalar(
            sa.select(row.state).where(row.transaction_uid == report.transaction_uid)
        )
        connection.execute(
            sa.update(commitments)
            .where(row.transaction_uid == report.transaction_uid, row.state != COMMITTED)
            .values(
                state=COMMITTED if whole else FAILED,
                failed=report.failed,
                answered=datetime.now(UTC),
            )
        )
    log.info(
        "storage commitment reported",
        extra={
            "action": "commitment_reported",
            "transaction_uid": report.transaction_uid,
            "known": known is not None,
            "failed": len(report.failed),
        },
    )
    return known is not None
