"""The frame of a trainer's script: its command line; what it cannot do as one sentence."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable
from pathlib import Path

from dicom_profiles.errors import ProfileError
from pipelines.errors import PipelineError
from trainers.errors import TrainersError
from trainers.readers.data_set import add_data_option
from trainers.training.settings import RunSettings, add_options

FORESEEN = (TrainersError, ProfileError, PipelineError, OSError)
"""Their sentence says all; any other error is a fault of ours, whose traceback is needed."""

FAILED, INTERRUPTED = 1, 130
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def parser_of(
    pipeline: str, description: str | None, settings: type[RunSettings], validate: str = "SOURCE"
) -> argparse.ArgumentParser:
    """The options that every trainer has; it adds its own.

    Args:
        pipeline: whose model is trained.
        description: of the script, shown as it is written.
        settings: whose knobs become options.
        validate: what `--validate` names.
    """
    parser = argparse.ArgumentParser(
        prog=f"vscanner train {pipeline}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--train", nargs="+", default=[], metavar="SOURCE", help="to learn from")
    parser.add_argument(
        "--validate", nargs="*", default=[], metavar=validate, help="only measured: early stopping"
    )
    parser.add_argument("--out", type=Path, required=True, help="weights, checkpoint, TensorBoard")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="start from these weights")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    add_data_option(parser)
    add_options(parser, settings)
    return parser


def exit_code(main: Callable[[], int | None]) -> int:
    """Run a script's `main`; a foreseen error is told in its sentence."""
    try:
        return main() or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except FORESEEN as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return FAILED


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return (
            f"{error.strerror}: make room where --out lies and start again; "
            "training goes on with --resume."
        )
    return str(error)
