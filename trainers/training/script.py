"""The boundary of a trainer's script: what it cannot do is one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dicom_profiles.errors import ProfileError
from pipelines.errors import PipelineError
from trainers.training.errors import TrainingError

FORESEEN = (TrainingError, ProfileError, PipelineError, OSError)
"""Their sentence says all; any other error is a fault of ours, whose traceback is needed."""

FAILED, INTERRUPTED = 1, 130


def exit_code(main: Callable[[], int | None]) -> int:
    """Run a script's `main`; a foreseen error is told in its sentence."""
    try:
        return main() or 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except FORESEEN as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
