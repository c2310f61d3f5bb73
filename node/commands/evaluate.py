"""`vscanner evaluate`: measure a model, or run a protocol; the script's arguments pass through."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Any

from node.commands.train import add_rest, modules_for, run_module
from node.errors import CommandError

PROTOCOLS = {
    "ten_layers": "trainers.evaluation.ten_layers",
    "paired_unpaired": "trainers.evaluation.paired_unpaired",
}
"""Studies of their own: what they measure is no single pipeline."""


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    known = ", ".join(modules_for("evaluate")) or "none in this installation"
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model",
        description="Measure a model, or run a protocol. Everything after NAME is passed to the "
        "script: `vscanner evaluate NAME --help` shows its settings.",
        epilog=f"NAME is one of: {known}; with --protocol one of: {', '.join(PROTOCOLS)}. "
        "Example: vscanner evaluate ldct_denoise --data test:/data/ct --out results/ldct",
    )
    parser.add_argument("--protocol", action="store_true", help="NAME is a protocol")
    parser.add_argument("name", metavar="NAME", help="name of the pipeline, or of the protocol")
    add_rest(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the evaluation as a process of its own; its exit code is ours."""
    modules = installed_protocols() if arguments.protocol else modules_for("evaluate")
    if arguments.name not in modules:
        known = ", ".join(modules) or "none in this installation"
        what = "protocol" if arguments.protocol else "pipeline"
        raise CommandError(
            f"There is nothing called {arguments.name!r} to evaluate; {what}s: {known}."
        )
    return run_module(modules[arguments.name], arguments.rest)


def installed_protocols() -> dict[str, str]:
    """Protocol to module, where the trainers are installed."""
    return PROTOCOLS if find_spec("trainers") else {}
