"""`vscanner web`: the status page alone, beside receivers and workers on other machines."""

from __future__ import annotations

import argparse
from pathlib import Path

from node.config_file import load_config
from node.logs import set_up_logging
from node.service import run_role

EXAMPLE = """\
example:
  vscanner web --config node.yaml     then open http://127.0.0.1:8080/

The page listens where `web.host` and `web.port` say. It has no log-in of its own: keep it on
127.0.0.1, or put the site's reverse proxy with its accounts in front.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "web",
        help="only the status page",
        description="Serve the status page, the JSON, the metrics and STOW-RS.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    set_up_logging()
    return run_role("web", load_config(arguments.config))
