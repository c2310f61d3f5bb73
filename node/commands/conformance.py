"""`vscanner conformance`: the DICOM conformance statement of this very configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from node.config_file import load_config
from node.conformance.statement import conformance_statement


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "conformance",
        help="the DICOM conformance statement of this configuration",
        description="Print the DICOM conformance statement (PS3.2 annex N) as Markdown, generated "
        "from the program's tables, this configuration, and objects that are really written.",
        epilog="example: vscanner conformance --config node.yaml > conformance.md",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Print the statement."""
    sys.stdout.write(conformance_statement(load_config(arguments.config)))
    return 0
