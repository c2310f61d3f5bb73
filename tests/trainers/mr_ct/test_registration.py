from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from trainers.mr_ct import registration as mr_ct_registration
from trainers.mr_ct.registration import aligned
from trainers.readers.mr_ct import MrCtSeries, read_prepared, save_prepared
from trainers.training.errors import SourceError

PIXEL_MM, SLICE_MM = 1.0, 3.0
MOVED_MM = np.array([0.0, 7.0, -5.0])


def thigh() -> MrCtSeries:
    """A thigh with its femur: bright fat and marrow, grey muscle with fat between, dark cortex."""
    z, y, x = np.mgrid[0:16, 0:96, 0:96].astype(np.float32)
    grain = gaussian_filter(np.random.default_rng(2).normal(size=z.shape), (1, 3, 3)) > 0.03
    from_axis = np.hypot(y - 48, x - 48)
    femur = np.hypot(y - 44 - 0.6 * (z - 8), x - 52)
    ct = np.where(from_axis < 44, -95.0, -1000.0)
    ct[from_axis < 36] = np.where(grain, -90.0, 55.0)[from_axis < 36]
    mr = np.where(ct == 55.0, 0.35, np.where(ct > -200, 1.0, 0.01))
    ct[femur < 13], mr[femur < 13] = 1200.0, 0.04
    ct[femur < 7], mr[femur < 7] = 20.0, 0.9
    pair = {"T1": mr.astype(np.float32)}
    return MrCtSeries("thigh", pair, ct.astype(np.float32), PIXEL_MM, SLICE_MM)


def moved(series: MrCtSeries) -> MrCtSeries:
    assert series.ct is not None
    pixels = MOVED_MM / (SLICE_MM, PIXEL_MM, PIXEL_MM)
    return replace(series, ct=shift(series.ct, pixels, order=1, mode="nearest"))


def bone_shared(one: MrCtSeries, other: MrCtSeries) -> float:
    """Dice of the cortex."""
    assert one.ct is not None
    assert other.ct is not None
    first, second = one.ct > 600, other.ct > 600
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_bone_comes_back_to_where_the_mr_shows_it() -> None:
    truth = thigh()
    assert bone_shared(moved(truth), truth) < 0.6
    kept, found = aligned(moved(truth))
    assert bone_shared(kept, truth) > 0.85
    assert found.moved_mm == pytest.approx(np.linalg.norm(MOVED_MM), abs=1.0)
    assert found.after > found.before
    given = moved(truth).ct
    assert given is not None
    assert kept.ct is not None
    differs = np.abs(kept.ct - given)[given > -500]  # the thigh lies on no couch
    assert found.differs_hu == pytest.approx(float(differs.mean()), rel=1e-5)
    assert found.differs_hu > 100


def test_a_pair_that_fits_is_hardly_moved() -> None:
    kept, found = aligned(thigh())
    assert found.moved_mm < 0.7
    assert found.differs_hu < 30
    assert bone_shared(kept, thigh()) > 0.93


def test_a_pair_without_bone_stays_as_it_is() -> None:
    series = thigh()
    assert series.ct is not None
    soft = replace(series, ct=np.minimum(series.ct, 60.0))
    kept, found = aligned(soft)
    assert kept is soft
    assert found.moved_mm == 0.0


def test_a_pair_without_ct_is_refused() -> None:
    with pytest.raises(ValueError, match="it has no CT to align"):
        aligned(replace(thigh(), ct=None))


def test_the_command_keeps_what_the_trainer_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_prepared(moved(thigh()), tmp_path / "in")
    asked = ["--from", f"prepared:{tmp_path / 'in'}", "--out", str(tmp_path / "out")]
    assert mr_ct_registration.main(asked) == 0
    (kept,) = read_prepared(tmp_path / "out")
    assert bone_shared(kept, thigh()) > 0.85
    assert "thigh: moved" in capsys.readouterr().out


def test_sources_without_a_pair_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No pair of MR and CT"):
        mr_ct_registration.main(["--from", f"sts:{tmp_path}", "--out", str(tmp_path / "out")])
