"""Query parameters of requests: what they must be, and the sentence where they are not."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request


def whole_number(request: Request, name: str, default: int = 0) -> int:
    """A query parameter that counts something; 400 when it does not."""
    value = request.query_params.get(name, str(default))
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise HTTPException(400, f"{name} needs a whole number, got {value[:40]!r}.")
    return int(value)


def choice(request: Request, name: str, words: tuple[str, ...]) -> str:
    """A query parameter that is one of these words, the first when absent; 400 otherwise."""
    return choice_of(request.query_params.get(name, words[0]), name, words)


def choice_of(word: str, name: str, words: tuple[str, ...]) -> str:
    """The word, if it is one of these; 400 otherwise."""
    if word not in words:
        raise HTTPException(400, f"{name} needs one of {', '.join(words)}; got {word[:40]!r}.")
    return word
