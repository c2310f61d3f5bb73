"""What the commands that run processes share: `serve`, `receive`, `work`, `web`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from node.config_file import config_warnings, load_config, missing_files
from node.errors import ConfigError
from node.logs import set_up_logging
from node.service import run_role

if TYPE_CHECKING:
    from node.config import Config

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RoleCommand:
    """A command that runs one role until SIGTERM or Ctrl-C.

    Args:
        role: a key of `node.service.ROLES`, and the command's name.
        help: its purpose in a few words.
        description: what it does.
        example: shown below the options.
    """

    role: str
    help: str
    description: str
    example: str

    def add_parser(
        self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]
    ) -> argparse.ArgumentParser:
        """Describe the command; gives its parser, for further options."""
        parser: argparse.ArgumentParser = subparsers.add_parser(
            self.role,
            help=self.help,
            description=self.description,
            epilog=self.example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")
        return parser

    def start(self, arguments: argparse.Namespace) -> Config:
        """Set up logging and read the configuration; says what may be a mistake in it.

        Raises:
            ConfigError: it has faults, or names files that are not here.
        """
        set_up_logging()
        config = load_config(arguments.config)
        missing = missing_files(config)
        if missing:
            raise ConfigError(missing)
        for sentence in config_warnings(config):
            log.warning(sentence, extra={"action": "configuration_warning"})
        return config

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the role until it is told to stop; gives the exit code."""
        return run_role(self.role, self.start(arguments))
