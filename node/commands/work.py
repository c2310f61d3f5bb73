"""`vscanner work`: a worker, beside receivers elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from node.config_file import load_config
from node.logs import set_up_logging
from node.service import run_role

EXAMPLE = """\
example:
  vscanner work --config node.yaml

One worker for each GPU; every machine of an installation uses the same node.database
(PostgreSQL) and the same node.data_dir. Jobs of a worker that dies go to the others.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "work",
        help="only a worker",
        description="Take jobs from the queue: translate, write, check, send and confirm.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or Ctrl-C."""
    set_up_logging()
    return run_role("work", load_config(arguments.config))
