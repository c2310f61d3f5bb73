from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from node.config import NodeSettings
from node.database import commitments, open_database
from node.receiving.reports import CommitmentReport, read_report, record_report
from node.spooling.elements import EXPLICIT, IMPLICIT
from node.spooling.errors import UnreadableDataset


def report_dataset(transaction: str, failed: dict[str, int]) -> Dataset:
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
    return ds


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3000])
def test_a_report_is_read(implicit: bool, count: int) -> None:
    failed = {str(generate_uid()): 0x0112 for _ in range(count)}
    data = encode(report_dataset("1.2.3", failed), implicit, True)
    assert data is not None
    found = read_report(data, IMPLICIT if implicit else EXPLICIT)
    assert found == CommitmentReport("1.2.3", failed)


def test_a_report_without_its_transaction_is_refused() -> None:
    with pytest.raises(UnreadableDataset, match="Transaction UID"):
        read_report(b"")


def test_a_report_goes_into_the_row_of_its_transaction(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    row = {"job_id": "j", "destination": "pacs", "state": "ASKED", "failed": {}}
    with engine.begin() as connection:
        for uid in ("1.1", "1.2"):
            values = {**row, "transaction_uid": uid, "asked": datetime.now(UTC)}
            connection.execute(sa.insert(commitments).values(values))
    assert record_report(engine, CommitmentReport("1.1", {}), 1)
    assert record_report(engine, CommitmentReport("1.2", {"9.9": 0x0112}), 2)
    assert record_report(engine, CommitmentReport("1.1", {"9.9": 1}), 2)
    assert not record_report(engine, CommitmentReport("1.3", {}), 1)
    with engine.connect() as connection:
        rows = {r.transaction_uid: r for r in connection.execute(sa.select(commitments))}
    assert (rows["1.1"].state, rows["1.1"].failed) == ("COMMITTED", {})
    assert (rows["1.2"].state, rows["1.2"].failed) == ("FAILED", {"9.9": 0x0112})
    assert rows["1.1"].answered is not None
    engine.dispose()
