"""`vscanner receive`: receivers and assembler, beside workers and status page elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from node.config_file import load_config
from node.database import open_database
from node.logs import set_up_logging
from node.service import run_role
from node.spool import Spool

EXAMPLE = """\
example:
  vscanner receive --config node.yaml
  vscanner receive --config node.yaml --rebuild-index    after the database was lost

Every machine of an installation uses the same node.database (PostgreSQL) and the same
node.data_dir, on one file system that has hard links.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "receive",
        help="only the receivers and the assembler",
        description="Accept associations (C-ECHO, C-STORE, storage commitment reports), keep what "
        "comes, and make jobs of complete series.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")
    parser.add_argument(
        "--rebuild-index",
        action="store_true",
        help="make the rows of instances and series anew from the files, then end",
    )


def run(arguments: argparse.Namespace) -> int:
    """Receive until SIGTERM or Ctrl-C, or rebuild the index."""
    set_up_logging()
    config = load_config(arguments.config)
    if arguments.rebuild_index:
        spool = Spool(config.node.data_dir, open_database(config.node))
        print(f"The index holds {spool.rebuild_index()} instances.")
        return 0
    return run_role("receive", config)
