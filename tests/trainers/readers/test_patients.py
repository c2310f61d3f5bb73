from __future__ import annotations

import pytest

from trainers.readers.patients import refuse_unknown
from trainers.training.errors import SourceError


def test_all_who_are_named_are_there() -> None:
    refuse_unknown(["b", "a"], ["a", "b", "c"], "Patients are wanted")
    refuse_unknown([], [], "Patients are wanted")


def test_everybody_who_is_not_is_named_once() -> None:
    with pytest.raises(SourceError, match=r"^Patients are wanted, got d, e\. See"):
        refuse_unknown(["e", "a", "d", "e"], ["a", "b"], "Patients are wanted")
