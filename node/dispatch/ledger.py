"""What became of every derived instance at every destination: the table `deliveries`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.database.tables import deliveries, insert_into
from node.dispatch.outgoing import Answer


class DeliveryStatus(StrEnum):
    """Where one instance is on its way to one destination."""

    SENT = "SENT"  # the destination answered that it has stored it
    FAILED = "FAILED"  # it refused it, or has lost it since
    COMMITTED = "COMMITTED"  # it has said, or shown, that it keeps it


class DeliveryLedger:
    """Reads and writes the table `deliveries`."""

    def __init__(self, database: Engine) -> None:
        self.database = database

    def note(self, job_id: str, destination: str, answers: Iterable[Answer]) -> None:
        """Record what a destination answered; what was committed stays so."""
        now = datetime.now(UTC)
        rows = [
            {
                "job_id": job_id,
                "destination": destination,
                "sop_instance_uid": answer.sop_instance_uid,
                "status": str(DeliveryStatus.SENT if answer.kept else DeliveryStatus.FAILED),
                "status_code": answer.code,
                "updated": now,
            }
            for answer in answers
        ]
        if not rows:
            return
        with self.database.begin() as connection:
            statement = insert_into(connection, deliveries)
            new = statement.excluded
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["job_id", "destination", "sop_instance_uid"],
                    set_={
                        "status": new.status,
                        "status_code": new.status_code,
                        "updated": new.updated,
                    },
                    where=deliveries.c.status != DeliveryStatus.COMMITTED,
                ),
                rows,
            )

    def kept(self, job_id: str, destination: str) -> set[str]:
        """SOP Instance UIDs that the destination has: sent or committed."""
        return self._uids(job_id, destination, [DeliveryStatus.SENT, DeliveryStatus.COMMITTED])

    def committed(self, job_id: str, destination: str) -> set[str]:
        """SOP Instance UIDs that the destination keeps for certain."""
        return self._uids(job_id, destination, [DeliveryStatus.COMMITTED])

    def unconfirmed(self, job_id: str) -> set[str]:
        """Destinations that do not keep everything for certain."""
        query = sa.select(deliveries.c.destination).where(
            deliveries.c.job_id == job_id, deliveries.c.status != DeliveryStatus.COMMITTED
        )
        with self.database.connect() as connection:
            return set(connection.execute(query.distinct()).scalars())

    def set_status(
        self, job_id: str, destination: str, uids: Iterable[str], status: DeliveryStatus
    ) -> None:
        """Set the status of instances that have a row."""
        wanted = [{"uid": uid} for uid in uids]
        if not wanted:
            return
        statement = (
            deliveries.update()
            .where(
                deliveries.c.job_id == job_id,
                deliveries.c.destination == destination,
                deliveries.c.sop_instance_uid == sa.bindparam("uid"),
            )
            .values(status=str(status), updated=datetime.now(UTC))
        )
        with self.database.begin() as connection:
            connection.execute(statement, wanted)

    def _uids(self, job_id: str, destination: str, statuses: Sequence[DeliveryStatus]) -> set[str]:
        query = sa.select(deliveries.c.sop_instance_uid).where(
            deliveries.c.job_id == job_id,
            deliveries.c.destination == destination,
            deliveries.c.status.in_(statuses),
        )
        with self.database.connect() as connection:
            return set(connection.execute(query).scalars())
