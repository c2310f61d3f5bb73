"""`vscanner work`: a worker alone, for a machine with a GPU beside others."""

from __future__ import annotations

from node.commands.role import RoleCommand

COMMAND = RoleCommand(
    "work",
    "only a worker",
    "Take jobs from the queue: translate, write, check, send and confirm.",
    """\
example:
  vscanner work --config node.yaml

One worker for each GPU; every machine of an installation uses the same node.database
(PostgreSQL) and the same node.data_dir. Jobs of a worker that dies go to the others.
""",
)

add_parser = COMMAND.add_parser
run = COMMAND.run
