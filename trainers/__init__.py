"""Training and evaluation: data, losses, training scripts. Never imported by the node."""

from __future__ import annotations

import os
import sys
from types import TracebackType

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def _hear_ctrl_c_while_loading(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """End in one word where Ctrl-C comes before a script's `exit_code` can answer it."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)  # nothing is open yet; libraries that are half loaded may not end well


if sys.argv[0] == "-m":  # a script of ours is being started, and torch takes seconds to load
    sys.excepthook = _hear_ctrl_c_while_loading
