from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.dual_echo import write_dual_echo
from tests.synthetic import write_ct_series
from trainers.mr_ct.sources import SOURCES, read_source
from trainers.readers.mr_ct import MrCtSeries, save_prepared
from trainers.training.errors import SourceError


def test_a_ct_and_its_simulations(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "ct", slices=3)
    (ct,) = read_source(f"ct:{tmp_path / 'ct'}", 1)
    assert dict(ct.mr) == {}
    both = list(read_source(f"simulated:{tmp_path / 'ct'}*2", 1))
    assert [list(one.mr) for one in both] == [["IP", "OOP"]] * 2
    assert not np.array_equal(both[0].mr["IP"], both[1].mr["IP"])


def test_a_t1_series_and_kept_pairs(tmp_path: Path) -> None:
    write_dual_echo(tmp_path / "t1", ("IP",), slices=3, size=64)
    (t1,) = read_source(f"t1:{tmp_path / 't1'}", 1)
    assert t1.ct is None
    save_prepared(MrCtSeries("p", {"T1": t1.mr["T1"]}, t1.mr["T1"], 1.5, 3.0), tmp_path / "kept")
    (kept,) = read_source(f"prepared:{tmp_path / 'kept'}", 1)
    assert kept.patient == "p"


@pytest.mark.parametrize("source", ["nonsense:/a", "ct:", "/a/folder"])
def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(SourceError, match="one of " + ", ".join(SOURCES)):
        list(read_source(source, 1))


@pytest.mark.parametrize("count", ["many", "0", "-1"])
def test_a_count_of_simulations_that_is_none_is_refused(tmp_path: Path, count: str) -> None:
    write_ct_series(tmp_path / "ct", slices=3)
    with pytest.raises(SourceError, match="A whole number of 1 or more"):
        list(read_source(f"simulated:{tmp_path / 'ct'}*{count}", 1))
