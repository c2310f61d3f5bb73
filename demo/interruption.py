"""Ctrl-C and a plain kill, of which none is lost."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Interruption:
    """Ends the demonstration by KeyboardInterrupt, in the background too, where Ctrl-C is ignored.

    It is raised at once, and again at the next `pause`: what is raised while Python collects
    garbage is swallowed.
    """

    def __init__(self) -> None:
        self._came = False

    def listen(self) -> None:
        """Answer SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._raise)

    def pause(self, seconds: float) -> None:
        """Sleep.

        Raises:
            KeyboardInterrupt: it came, now or before.
        """
        if self._came:
            raise KeyboardInterrupt
        time.sleep(seconds)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt
