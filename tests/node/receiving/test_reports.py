from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from node.config import NodeSettings
from node.database.tables import commitments, open_database
from node.receiving.reports import CommitmentReport, read_report, record_report
from node.spooling.elements import EXPLICIT, IMPLICIT
from node.spooling.errors import UnreadableDataset


def report_dataset(transaction: str, failed: dict[str, int], kept: Iterable[str] = ()) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction
    items = []
    for uid, reason in failed.items():
        item = Dataset()
        item.ReferencedSOPClassUID = "1.2.3"
        item.ReferencedSOPInstanceUID = uid
        item.FailureReason = reason
        items.append(item)
    if items:
        ds.FailedSOPSequence = Sequence(items)
    ds.ReferencedSOPSequence = Sequence([Dataset() for _ in kept])
    for item, uid in zip(ds.ReferencedSOPSequence, kept, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", uid
    return ds


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3000])
def test_a_report_is_read(implicit: bool, count: int) -> None:
    failed = {str(generate_uid()): 0x0112 for _ in range(count)}
    kept = [str(generate_uid()) for _ in range(count)]
    data = encode(report_dataset("1.2.3", failed, kept), implicit, True)
    assert data is not None
    found = read_report(data, IMPLICIT if implicit else EXPLICIT)
    assert found == CommitmentReport("1.2.3", failed, kept)


@pytest.mark.parametrize(("vr", "reason"), [("LO", "gone"), ("SQ", []), ("OB", b"ab")])
def test_a_reason_that_is_no_number_is_a_failure(vr: str, reason: object) -> None:
    ds = report_dataset("1.2.3", {"9.9": 0})
    ds.FailedSOPSequence[0]["FailureReason"] = DataElement("FailureReason", vr, reason)
    data = encode(ds, False, True)
    assert data is not None
    assert read_report(data) == CommitmentReport("1.2.3", {"9.9": 0})


def test_a_report_without_its_transaction_is_refused() -> None:
    with pytest.raises(UnreadableDataset, match="Transaction UID"):
        read_report(b"")


def test_a_report_goes_into_the_row_of_its_transaction(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    row = {"job_id": "j", "destination": "pacs", "state": "ASKED", "failed": {}}
    with engine.begin() as connection:
        for uid in ("1.1", "1.2", "1.4", "1.5"):
            values = {**row, "transaction_uid": uid, "asked": datetime.now(UTC)}
            connection.execute(sa.insert(commitments).values(values))
    assert record_report(engine, CommitmentReport("1.1", {}, ["9.8"]), 1)
    assert record_report(engine, CommitmentReport("1.2", {"9.9": 0x0112}), 2)
    assert not record_report(engine, CommitmentReport("1.3", {}), 1)
    assert record_report(engine, CommitmentReport("1.4", {"9.9": 0x0112}), 1)  # contradicts itself
    assert record_report(engine, CommitmentReport("1.5", {}), 2)
    with engine.connect() as connection:
        rows = {r.transaction_uid: r for r in connection.execute(sa.select(commitments))}
    assert (rows["1.1"].state, rows["1.1"].failed) == ("COMMITTED", {})
    assert rows["1.1"].kept == ["9.8"]
    assert (rows["1.2"].state, rows["1.2"].failed) == ("FAILED", {"9.9": 0x0112})
    assert (rows["1.4"].state, rows["1.5"].state) == ("FAILED", "FAILED")
    assert rows["1.1"].answered is not None
    engine.dispose()


@pytest.mark.parametrize(
    ("before", "whole", "after"),
    [
        ("ASKED", True, "COMMITTED"),
        ("ASKED", False, "FAILED"),
        ("FAILED", True, "COMMITTED"),
        ("FAILED", False, "FAILED"),
        ("EXPIRED", True, "COMMITTED"),
        ("EXPIRED", False, "CONTRADICTED"),
        ("COMMITTED", True, "COMMITTED"),
        ("COMMITTED", False, "CONTRADICTED"),
        ("CONTRADICTED", True, "CONTRADICTED"),
        ("CONTRADICTED", False, "CONTRADICTED"),
    ],
)
def test_what_is_said_after_the_end_is_a_doubt(
    before: str, whole: bool, after: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    row = {"transaction_uid": "1.1", "job_id": "j", "destination": "pacs", "failed": {}}
    with engine.begin() as connection:
        values = {**row, "state": before, "asked": datetime.now(UTC)}
        connection.execute(sa.insert(commitments).values(values))
    caplog.set_level(logging.INFO)
    record_report(engine, CommitmentReport("1.1", {} if whole else {"9.9": 1}), 1 if whole else 2)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(commitments.c.state)) == after
    (said,) = caplog.records
    assert said.levelno == (logging.INFO if after == "COMMITTED" else logging.WARNING)
    engine.dispose()


def test_reports_that_come_together_are_both_heard(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    row = {"job_id": "j", "destination": "pacs", "failed": {}, "state": "EXPIRED"}
    with engine.begin() as connection:
        for number in range(8):
            values = {**row, "transaction_uid": f"1.{number}", "asked": datetime.now(UTC)}
            connection.execute(sa.insert(commitments).values(values))
    reports = [
        (CommitmentReport(f"1.{number}", failed), event)
        for number, (failed, event) in itertools.product(range(8), (({}, 1), ({"9": 1}, 2)))
    ]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda one: record_report(engine, *one), reports))
    with engine.connect() as connection:
        states = set(connection.scalars(sa.select(commitments.c.state)))
    assert states == {"CONTRADICTED"}
    engine.dispose()
