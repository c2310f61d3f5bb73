from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.readers.gathered import gathered
from trainers.evaluation.case import EvaluationError
from trainers.evaluation.mr_to_ct import cases, methods
from trainers.readers.mr_ct import MrCtSeries, save_prepared


def options(*inputs: str, fitted_to: str = "") -> argparse.Namespace:
    return argparse.Namespace(inputs=list(inputs), fitted_to=fitted_to, run=[])


def prepared(folder: Path, patient: str, *inputs: str) -> str:
    """A source with one pair, flesh in the middle of air."""
    ct = np.full((2, 24, 24), -1000.0, np.float32)
    ct[:, 4:20, 4:20] = 40.0
    mr = np.where(ct > -500, 300.0, 0.0).astype(np.float32)
    save_prepared(MrCtSeries(patient, dict.fromkeys(inputs, mr), ct, 1.5, 3.0), folder)
    return f"prepared:{folder}"


def test_a_pair_that_was_registered_is_its_own_patient(tmp_path: Path) -> None:
    """All of them were one patient without a name, and called simulated."""
    prepared(tmp_path, "STS_004", "T1")
    found = list(cases(prepared(tmp_path, "STS_005", "T1"), options("T1")))
    assert [(one.patient, one.group) for one in found] == [("STS_004", "real"), ("STS_005", "real")]
    assert not any("simulated" in one.data for one in found)


def test_drawings_of_one_ct_are_one_patient(tmp_path: Path) -> None:
    prepared(tmp_path, "liver-a-1000", "IP", "OOP")
    found = list(cases(prepared(tmp_path, "liver-a-1001", "IP", "OOP"), options("IP", "OOP")))
    assert {(one.patient, one.group) for one in found} == {("liver-a", "simulated")}
    assert [one.name for one in found] == ["liver-a-1000", "liver-a-1001"]


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    """MR and CT of a gathered study do not lie on each other."""
    gathered(tmp_path / "set", ("test",))
    with pytest.raises(EvaluationError, match=r"MR \(T1\) and CT on one grid .* got CT;"):
        list(cases(f"set:{tmp_path / 'set'}:test", options("T1")))


def test_an_input_that_a_pair_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"MR \(IP, OOP\) and CT .* got T1, CT;"):
        list(cases(prepared(tmp_path, "STS_004", "T1"), options("IP", "OOP")))


def test_trivial_rivals_learn_from_pairs_alone(tmp_path: Path) -> None:
    (one,) = cases(prepared(tmp_path / "a", "STS_004", "T1"), options("T1"))
    good = prepared(tmp_path / "b", "STS_005", "T1")
    made = methods(options("T1", fitted_to=good))["constant"](one)
    assert set(np.unique(made)) == {40.0}
    looked_up = methods(options("T1", fitted_to=good))["look-up table"](one)
    assert looked_up[0, 12, 12] == 40.0
    bad = prepared(tmp_path / "c", "STS_006", "IP")
    with pytest.raises(EvaluationError, match="got IP, CT"):
        methods(options("T1", fitted_to=bad))["constant"](one)
    with pytest.raises(EvaluationError, match="No pair was found in --fitted-to"):
        methods(options("T1", fitted_to=f"prepared:{tmp_path}"))["constant"](one)
