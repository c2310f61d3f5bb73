from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from node.config import NodeSettings
from node.database.tables import conflicts, instances, open_database, series
from node.spool import Spool
from tests.node.datasets import encoded, facts_of, same_series


def test_a_lost_database_is_made_anew_from_the_files(tmp_path: Path) -> None:
    settings = NodeSettings(data_dir=tmp_path)
    first = open_database(settings)
    spool = Spool(tmp_path, first)
    for ds in same_series(4):
        spool.receive(encoded(ds), facts_of(ds))
    ds.SeriesDescription = "another content"
    spool.receive(encoded(ds), facts_of(ds))
    spool.admit_incoming()
    columns = [c for c in instances.c if c.name != "received"]
    query = sa.select(*columns).order_by(instances.c.sop_instance_uid)
    with first.connect() as connection:
        wanted = connection.execute(query).all()
    first.dispose()
    for file in tmp_path.glob("node.sqlite*"):
        file.unlink()
    second = open_database(settings)
    spool = Spool(tmp_path, second)
    assert spool.rebuild_index() == spool.rebuild_index() == 4
    with second.connect() as connection:
        assert connection.execute(query).all() == wanted
        assert connection.scalar(sa.select(series.c.instance_count)) == 4
        assert connection.scalar(sa.select(sa.func.count()).select_from(conflicts)) == 1
    second.dispose()


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    spool = Spool(tmp_path, engine)
    for ds in same_series(2):
        spool.receive(encoded(ds), facts_of(ds))
    spool.admit_incoming()
    next((tmp_path / "spool").rglob("*.dcm")).write_bytes(b"rotten")
    with engine.begin() as connection:
        connection.execute(sa.delete(instances))
    assert spool.rebuild_index() == 1
    engine.dispose()
