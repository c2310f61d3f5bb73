from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from node.web.parameters import choice, whole_number

WINDOWS = ("lung", "bone")


def asked(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize(
    ("query", "number"), [("", 7), ("page=0", 0), ("page=999999999", 999999999)]
)
def test_whole_numbers(query: str, number: int) -> None:
    assert whole_number(asked(query), "page", 7) == number


@pytest.mark.parametrize("word", ["", "-1", "1.5", "x", "%C2%B2", "%D9%A3", "1000000000"])
def test_what_is_no_whole_number_is_a_400_that_says_so(word: str) -> None:
    with pytest.raises(HTTPException, match="page needs a whole number, got") as error:
        whole_number(asked(f"page={word}"), "page")
    assert error.value.status_code == 400


def test_the_first_choice_is_taken_where_none_is_named() -> None:
    assert choice(asked(""), "window", WINDOWS) == "lung"
    assert choice(asked("window=bone"), "window", WINDOWS) == "bone"


def test_another_word_is_a_400_that_names_the_choices() -> None:
    with pytest.raises(HTTPException, match="window needs one of lung, bone; got 'ski'") as error:
        choice(asked("window=ski"), "window", WINDOWS)
    assert error.value.status_code == 400
