from __future__ import annotations

import pytest

from trainers.training.errors import SourceError
from trainers.training.sources import count_of, weight_of

NO_WEIGHTS = ["heavy", "0", "-1", "nan", "inf", "1,5"]
NO_COUNTS = ["", "0", "-1", "2.5", "many"]


def test_a_weight_is_read_and_is_1_where_none_is_given() -> None:
    assert weight_of("0.25", "a@0.25", "a@2") == 0.25
    assert weight_of("", "a", "a@2") == 1.0


@pytest.mark.parametrize("text", NO_WEIGHTS)
def test_a_weight_that_is_none_says_what_is_wanted_and_what_came(text: str) -> None:
    with pytest.raises(SourceError) as refused:
        weight_of(text, f"a@{text}", "a@2")
    assert str(refused.value) == f"A weight is a number above 0, as in a@2; got 'a@{text}'."


def test_a_count_is_read() -> None:
    assert count_of("12", "bodies:12", "bodies:4") == 12
    assert count_of("0", "bodies:0+8", "bodies:100+8", least=0) == 0


@pytest.mark.parametrize("text", NO_COUNTS)
def test_a_count_that_is_none_says_what_is_wanted_and_what_came(text: str) -> None:
    with pytest.raises(SourceError) as refused:
        count_of(text, f"bodies:{text}", "bodies:4")
    wanted = "A whole number of 1 or more is wanted, as in bodies:4"
    assert str(refused.value) == f"{wanted}; got 'bodies:{text}'."
