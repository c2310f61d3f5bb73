from __future__ import annotations

import threading
from pathlib import Path

import pytest

from node.config import NodeSettings
from node.database.tables import open_database
from node.spool import Spool, SpoolFull, UnreadableDataset
from tests.node.datasets import encoded, facts_of, files_in, same_series, small_ct
from tests.node.spooled import series_paths


def test_receive_keeps_the_bytes(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    spool = Spool(tmp_path, engine)
    ds = small_ct()
    identity = spool.receive(encoded(ds), facts_of(ds))
    assert identity.series_instance_uid == ds.SeriesInstanceUID
    (path,) = files_in(tmp_path / "incoming")
    assert path.read_bytes().endswith(encoded(ds))
    engine.dispose()


def test_receive_refuses(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    ds = small_ct()
    with pytest.raises(UnreadableDataset):
        Spool(tmp_path, engine).receive(encoded(ds)[:-3], facts_of(ds))
    with pytest.raises(SpoolFull):
        Spool(tmp_path, engine, min_free_bytes=1 << 62).receive(encoded(ds), facts_of(ds))
    assert files_in(tmp_path / "incoming") == []
    engine.dispose()


def test_reception_and_admission_go_on_together(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    spool = Spool(tmp_path, engine)
    slices = same_series(120)

    def send(part: int) -> None:
        for ds in slices[part::4]:
            spool.receive(encoded(ds), facts_of(ds))

    senders = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for sender in senders:
        sender.start()
    admitted = 0
    while any(sender.is_alive() for sender in senders):
        admitted += spool.admit_incoming(limit=20)
    while admitted < len(slices):
        admitted += spool.admit_incoming()
    assert admitted == len(slices)
    assert len(series_paths(spool, slices[0].SeriesInstanceUID)) == len(slices)
    engine.dispose()
