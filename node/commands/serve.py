"""`vscanner serve`: all roles on this machine."""

from __future__ import annotations

from node.commands.role import RoleCommand

COMMAND = RoleCommand(
    "serve",
    "all roles on this machine",
    """\
Run receivers, assembler, worker and status page on this machine. Ready when
GET /health/ready answers 200; ends on SIGTERM or Ctrl-C.
""",
    """\
example:
  vscanner serve --config node.yaml     then open http://127.0.0.1:8080/
""",
)

add_parser = COMMAND.add_parser
run = COMMAND.run
