from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from node.config import NodeSettings
from node.database.tables import deliveries, open_database
from node.dispatch.ledger import DeliveryLedger, DeliveryStatus
from node.dispatch.outgoing import Answer


@pytest.fixture
def database(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(NodeSettings(data_dir=tmp_path, database=either_database))
    with engine.begin() as connection:
        connection.execute(deliveries.delete())
    yield engine
    engine.dispose()


def test_answers_are_kept_and_replaced(database: Engine) -> None:
    ledger = DeliveryLedger(database)
    ledger.note("j", "pacs", [])
    ledger.note("j", "pacs", [Answer("1", 0, kept=True), Answer("2", 0xA700, kept=False)])
    ledger.note("j", "other", [Answer("2", 0, kept=True)])
    assert ledger.kept("j", "pacs") == {"1"}
    ledger.note("j", "pacs", [Answer("2", 0xB000, kept=True)])
    assert ledger.kept("j", "pacs") == {"1", "2"}
    assert ledger.committed("j", "pacs") == set()
    ledger.set_status("j", "pacs", ["1", "2"], DeliveryStatus.COMMITTED)
    assert ledger.committed("j", "pacs") == ledger.kept("j", "pacs") == {"1", "2"}
    assert ledger.unconfirmed("j") == {"other"}
    ledger.note("j", "pacs", [Answer("1", 0, kept=True)])
    assert ledger.committed("j", "pacs") == {"1", "2"}  # an answer that comes late
    ledger.set_status("j", "pacs", ["2"], DeliveryStatus.FAILED)
    assert ledger.unconfirmed("j") == {"pacs", "other"}
    assert ledger.kept("j", "pacs") == {"1"}
    assert ledger.kept("j", "other") == {"2"}
