from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from node.config import Config
from node.routing import open_series
from node.routing.open_series import SeriesReader
from node.routing.rules import compile_rules
from node.spool import Spool
from tests.node.feeding import feed, only_series
from tests.node.spooled import series_paths
from tests.synthetic import write_ct_series


def admitted(spool: Spool, paths: list[Path]) -> Any:
    feed(spool, paths)
    spool.admit_incoming()
    return only_series(spool.database)


def test_headers_are_read_once_as_images_arrive(
    tmp_path: Path, spool: Spool, database: Engine
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=10)
    reader = SeriesReader(spool.data_dir, database)
    opened = reader.read(admitted(spool, paths[:6]))
    assert opened is not None
    first = dict(opened.by_uid)
    assert reader.read(admitted(spool, paths[6:])) is opened
    assert opened.count == 10
    assert all(opened.by_uid[uid] is instance for uid, instance in first.items())
    assert opened.positions().regular is True


def test_a_long_series_is_read_in_portions(
    tmp_path: Path, spool: Spool, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_series, "PORTION", 4)
    row = admitted(spool, write_ct_series(tmp_path / "ct", slices=10))
    reader = SeriesReader(spool.data_dir, database)
    assert [reader.read(row) is None for _ in range(3)] == [True, True, False]


def test_an_image_that_cannot_be_read_is_said_and_left_out(
    tmp_path: Path, spool: Spool, database: Engine
) -> None:
    row = admitted(spool, write_ct_series(tmp_path / "ct", slices=5))
    series_paths(spool, row.series_instance_uid)[2].write_bytes(b"DICOM no more")
    opened = SeriesReader(spool.data_dir, database).read(row)
    assert opened is not None
    assert (opened.count, len(opened.instances)) == (5, 4)
    assert opened.findings == ["1 image(s) cannot be read and are left out."]


def test_the_rules_are_asked_once_for_each_count(
    tmp_path: Path, spool: Spool, database: Engine, config: Config
) -> None:
    paths = write_ct_series(tmp_path / "ct", slices=12)
    reader, rules = SeriesReader(spool.data_dir, database), compile_rules(config.routes)
    opened = reader.read(admitted(spool, paths[:11]))
    assert opened is not None
    first = opened.explanation(rules, "X")
    assert opened.explanation(rules, "X") is first
    reader.read(admitted(spool, paths[11:]))
    assert opened.explanation(rules, "X") is not first


def test_a_decided_series_is_forgotten(tmp_path: Path, spool: Spool, database: Engine) -> None:
    row = admitted(spool, write_ct_series(tmp_path / "ct", slices=3))
    reader = SeriesReader(spool.data_dir, database)
    first = reader.read(row)
    reader.forget(row.series_instance_uid)
    assert reader.read(row) is not first
    reader.forget("unknown")
    assert reader.read(SimpleNamespace(series_instance_uid="1.9", instance_count=0)) is not None
