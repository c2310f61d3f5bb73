"""Puts files into a spool as a receiver would, without a network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from sqlalchemy.engine import Engine

from node.assembler import Assembler
from node.config import Config
from node.database.tables import series
from node.spool import ReceivedFacts, Spool

LOW_DOSE_ROUTE: dict[str, Any] = {
    "name": "low-dose chest",
    "pipeline": "ldct_denoise",
    "when": {"Modality": "CT", "SeriesDescription": {"matches": "(?i)low.?dose"}},
}


def make_config(folder: Path, **sections: Any) -> Config:
    """A configuration that is quick, with one route."""
    content = {
        "node": {"data_dir": str(folder / "data")},
        "assembly": {"quiet_s": 0.3, "limit_s": 60},
        "routes": [LOW_DOSE_ROUTE],
        **sections,
    }
    return Config.model_validate(content)


def feed(spool: Spool, paths: Iterable[Path], source_ae: str = "SCANNER") -> None:
    """Receive the files as one association of `source_ae` would bring them."""
    for path in paths:
        ds = pydicom.dcmread(path)
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        syntax = ds.file_meta.TransferSyntaxUID
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        write_dataset(buffer, ds)
        facts = ReceivedFacts(
            sop_class_uid=ds.SOPClassUID,
            sop_instance_uid=ds.SOPInstanceUID,
            transfer_syntax_uid=syntax,
            source_ae=source_ae,
            receiving_ae="VSCANNER",
            association="a1",
        )
        spool.receive(buffer.getvalue(), facts)


def series_rows(database: Engine) -> list[Any]:
    """All rows of the table `series`."""
    with database.connect() as connection:
        return list(connection.execute(sa.select(series)))


def only_series(database: Engine) -> Any:
    """The one row of the table `series`."""
    (row,) = series_rows(database)
    return row


def look_until_decided(assembler: Assembler, timeout_s: float = 30.0) -> list[Any]:
    """Let the assembler look until every series is decided; gives their rows."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        pause_s = assembler.look()
        rows = series_rows(assembler.database)
        late = [row for row in rows if row.instance_count > row.completed_count]
        if rows and not late and not any(row.state in ("RECEIVING", "COMPLETE") for row in rows):
            return rows
        time.sleep(min(pause_s, 0.1))
    raise AssertionError(f"not decided: {[(row.state, row.reason) for row in rows]}")


def decision_of(row: Any) -> dict[str, Any]:
    """The stored decision, proven to be plain JSON."""
    return dict(json.loads(json.dumps(row.decision)))
