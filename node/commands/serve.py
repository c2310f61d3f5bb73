"""`vscanner serve`: all roles on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from node.config_file import load_config
from node.logs import set_up_logging
from node.service import run_role


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "serve",
        help="all roles on this machine",
        description="Run receivers, assembler, worker and status page on this machine. "
        "Ready when GET /health/ready answers 200; ends on SIGTERM or Ctrl-C.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Run the node until it is told to stop."""
    set_up_logging()
    return run_role("serve", load_config(arguments.config))
