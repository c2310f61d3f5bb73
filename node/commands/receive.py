"""`vscanner receive`: receivers and assembler, beside workers and status page elsewhere."""

from __future__ import annotations

import argparse

from node.commands.role import RoleCommand
from node.database.tables import open_database
from node.spool import Spool

COMMAND = RoleCommand(
    "receive",
    "only the receivers and the assembler",
    """\
Accept associations (C-ECHO, C-STORE, storage commitment reports), keep what comes, and make jobs
of complete series.
""",
    """\
example:
  vscanner receive --config node.yaml
  vscanner receive --config node.yaml --rebuild-index    after the database was lost

Every machine of an installation uses the same node.database (PostgreSQL) and the same
node.data_dir, on one file system that has hard links.
""",
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    COMMAND.add_parser(subparsers).add_argument(
        "--rebuild-index",
        action="store_true",
        help="make the rows of instances and series anew from the files, then end",
    )


def run(arguments: argparse.Namespace) -> int:
    """Receive until SIGTERM or Ctrl-C, or rebuild the index."""
    if not arguments.rebuild_index:
        return COMMAND.run(arguments)
    config = COMMAND.start(arguments)
    spool = Spool(config.node.data_dir, open_database(config.node))
    print(f"The index holds {spool.rebuild_index()} instances.")
    return 0
