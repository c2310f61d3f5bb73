"""`vscanner web`: the status page alone, beside receivers and workers on other machines."""

from __future__ import annotations

from node.commands.role import RoleCommand

COMMAND = RoleCommand(
    "web",
    "only the status page",
    "Serve the status page, the JSON, the metrics and STOW-RS.",
    """\
example:
  vscanner web --config node.yaml     then open http://127.0.0.1:8080/

The page listens where `web.host` and `web.port` say. It has no log-in of its own: keep it on
127.0.0.1, or put the site's reverse proxy with its accounts in front.
""",
)

add_parser = COMMAND.add_parser
run = COMMAND.run
