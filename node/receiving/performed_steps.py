"""Modality Performed Procedure Steps (PS3.4 annex F): what a scanner says that it made.

A step is created while it is under way and set when it ends; then it lists, by series, the
images that it made. That list is evidence for completeness, and nothing else is kept of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from node.database.tables import performed_series, performed_steps
from node.receiving import dimse
from node.spooling.elements import EXPLICIT, Element, Encoding, items, walk
from node.spooling.incoming import is_uid

log = logging.getLogger(__name__)

# PS3.3 C.4.14, C.4.15
STATUS, SERIES_SEQUENCE = 0x00400252, 0x00400340
SERIES_UID, IMAGES, OTHER_OBJECTS = 0x0020000E, 0x00081140, 0x00400220
IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
ENDED = (COMPLETED, DISCONTINUED)


@dataclass(frozen=True)
class StepReport:
    """What one N-CREATE or N-SET says.

    Attributes:
        status: Performed Procedure Step Status (0040,0252); "" where it is not given.
        series: Series Instance UID to the number of its instances; None where none are given.
    """

    status: str
    series: Mapping[str, int] | None = field(default=None)


def read_step(data: bytes, encoding: Encoding = EXPLICIT) -> StepReport:
    """Read the data set of an N-CREATE or N-SET request.

    Raises:
        UnreadableDataset: it is malformed.
    """
    status, series = "", None
    for element in walk(data, 0, len(data), encoding):
        if element.tag == STATUS:
            status = _text(data, element)
        elif element.tag == SERIES_SEQUENCE:
            series = _series(data, element, encoding)
    return StepReport(status, series)


def create_step(database: Engine, uid: str, report: StepReport, source_ae: str) -> int:
    """Record a new step; gives the status of the N-CREATE (PS3.4 F.7.2.1)."""
    if report.status != IN_PROGRESS or not is_uid(uid):
        return dimse.INVALID_ATTRIBUTE_VALUE
    with database.begin() as connection:
        if _state(connection, uid) is not None:
            return dimse.DUPLICATE_SOP_INSTANCE
        row = {"state": IN_PROGRESS, "source_ae": source_ae, "updated": datetime.now(UTC)}
        connection.execute(performed_steps.insert().values(sop_instance_uid=uid, **row))
        _replace_series(connection, uid, report.series)
    _tell("a procedure step began", uid, report)
    return dimse.SUCCESS


def set_step(database: Engine, uid: str, report: StepReport) -> int:
    """Record what became of a step; gives the status of the N-SET (PS3.4 F.7.2.2).

    An ended step is not changed any more.
    """
    if report.status not in ("", IN_PROGRESS, *ENDED):
        return dimse.INVALID_ATTRIBUTE_VALUE
    with database.begin() as connection:
        state = _state(connection, uid)
        if state is None:
            return dimse.NO_SUCH_OBJECT_INSTANCE
        if state in ENDED:
            return dimse.PROCESSING_FAILURE
        connection.execute(
            performed_steps.update()
            .where(performed_steps.c.sop_instance_uid == uid)
            .values(state=report.status or state, updated=datetime.now(UTC))
        )
        _replace_series(connection, uid, report.series)
    _tell("a procedure step changed", uid, report)
    return dimse.SUCCESS


def performed_count(database: Engine, series_instance_uid: str) -> int | None:
    """How many instances ended steps list for a series; None when none lists it."""
    query = (
        sa.select(sa.func.sum(performed_series.c.instance_count))
        .join(
            performed_steps,
            performed_steps.c.sop_instance_uid == performed_series.c.step_instance_uid,
        )
        .where(
            performed_series.c.series_instance_uid == series_instance_uid,
            performed_steps.c.state.in_(ENDED),
        )
    )
    with database.connect() as connection:
        count = connection.scalar(query)
    return None if count is None else int(count)


def _series(data: bytes, sequence: Element, encoding: Encoding) -> dict[str, int]:
    found: dict[str, int] = {}
    for start, stop in items(data, sequence, encoding):
        uid, count = "", 0
        for element in walk(data, start, stop, encoding):
            if element.tag == SERIES_UID:
                uid = _text(data, element)
            elif element.tag in (IMAGES, OTHER_OBJECTS):
                count += sum(1 for _ in items(data, element, encoding))
        if is_uid(uid):
            found[uid] = found.get(uid, 0) + count
    return found


def _text(data: bytes, element: Element) -> str:
    return data[element.start : element.end].decode("latin-1").strip(" \0")


def _state(connection: Connection, uid: str) -> str | None:
    query = sa.select(performed_steps.c.state).where(performed_steps.c.sop_instance_uid == uid)
    return connection.scalar(query)


def _replace_series(connection: Connection, uid: str, series: Mapping[str, int] | None) -> None:
    """N-SET replaces a sequence as a whole (PS3.4 F.7.2.2.2)."""
    if series is None:
        return
    connection.execute(performed_series.delete().where(performed_series.c.step_instance_uid == uid))
    rows = [
        {"step_instance_uid": uid, "series_instance_uid": one, "instance_count": count}
        for one, count in series.items()
    ]
    if rows:
        connection.execute(performed_series.insert(), rows)


def _tell(sentence: str, uid: str, report: StepReport) -> None:
    facts = {"status": report.status, "series": len(report.series or {})}
    log.info(sentence, extra={"action": "performed_step", "step_instance_uid": uid, **facts})
