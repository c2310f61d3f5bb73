from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.trainers.evaluation.toy import OUR_ERROR, THEIR_ERROR, TOY, case
from trainers.evaluation.case import OURS
from trainers.evaluation.system_pictures import main, slice_of


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    module = ModuleType("trainers.evaluation.toy")
    module.EVALUATION = TOY  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return "toy"


def test_a_picture_has_two_rows_a_case_and_a_column_a_system(toy: str, tmp_path: Path) -> None:
    def picture(name: str, *more: str) -> Image.Image:
        out = tmp_path / name
        assert main([toy, "--data", "3", "--methods", "input", "--out", str(out), *more]) == 0
        with Image.open(out) as image:
            return image.copy()

    one = picture("one.png")
    two = picture("two.png", "--cases", "P1", "P2", "--served", "ours")
    assert one.width / one.height < two.width / one.height
    assert two.height > 1.7 * one.height
    assert np.unique(np.asarray(two)).size > 20


def test_the_slice_shows_the_lesion() -> None:
    even = case(2)
    found = slice_of(even, {OURS: even.truth.voxels + OUR_ERROR})
    np.testing.assert_array_equal(found.truth, even.truth.voxels[1])
    np.testing.assert_allclose(found.made[OURS] - found.truth, OUR_ERROR, atol=1e-4)
    assert np.allclose(found.source - found.truth, 30, atol=1e-4)
    assert THEIR_ERROR != OUR_ERROR


def test_what_is_not_there_is_told(
    toy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.png")
    assert main([toy, "--data", "2", "--cases", "nobody", "--out", out]) == 1
    assert "nobody" in capsys.readouterr().err
    assert main([]) == 1
