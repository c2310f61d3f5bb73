from __future__ import annotations

import pytest

from trainers.readers.patients import refuse_shared, refuse_unknown
from trainers.training.errors import SourceError


def test_all_who_are_named_are_there() -> None:
    refuse_unknown(["b", "a"], ["a", "b", "c"], "Patients are wanted")
    refuse_unknown([], [], "Patients are wanted")


def test_everybody_who_is_not_is_named_once() -> None:
    with pytest.raises(SourceError, match=r"^Patients are wanted, got d, e\. See"):
        refuse_unknown(["e", "a", "d", "e"], ["a", "b"], "Patients are wanted")


def test_sides_without_a_common_patient_pass() -> None:
    refuse_shared(["a", "b", "a"], ["c"])


def test_everybody_who_is_on_both_sides_is_named_once() -> None:
    with pytest.raises(SourceError, match="got a, c in both"):
        refuse_shared(["c", "a", "a", "b"], ["a", "c", "d"])
