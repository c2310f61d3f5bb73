"""`vscanner evaluate`: measure a model; the script's own arguments are passed through."""

from __future__ import annotations

import argparse
from typing import Any

from node.commands.train import add_trainer_parser, start


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_trainer_parser(subparsers, "evaluate", "measure a model")


def run(arguments: argparse.Namespace) -> int:
    """Run the evaluation as a process of its own; its exit code is ours."""
    return start("evaluate", arguments.name, arguments.rest)
