"""No Ctrl-C and no kill is lost."""

from __future__ import annotations

import gc
import os
import signal
import sys
import weakref
from collections.abc import Iterator

import pytest

from demo.interruption import Interruption


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    interruption = Interruption()
    interruption.listen()
    yield interruption
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_raised_at_once(interruption: Interruption, number: signal.Signals) -> None:
    interruption.pause(0)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_one_that_python_swallows_comes_at_the_next_pause(
    interruption: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Thing:
        pass

    swallowed: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: swallowed.append(told.exc_value))
    thing = Thing()
    weakref.finalize(thing, os.kill, os.getpid(), signal.SIGTERM)
    del thing
    gc.collect()
    assert [type(one) for one in swallowed] == [KeyboardInterrupt]
    with pytest.raises(KeyboardInterrupt):
        interruption.pause(0)
