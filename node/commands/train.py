"""`vscanner train`: start a trainer; its own arguments are passed through."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from node.errors import CommandError
from pipelines import catalog

NEEDED = ("torch", "tqdm", "skimage")
"""A sample of what the extras `models` and `train` bring."""

MODULES = {"train": ("{}",), "evaluate": ("evaluate_{}", "evaluation.{}")}
"""Below the package `trainers`: the module that trains, or measures, a pipeline."""


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_trainer_parser(subparsers, "train", "train a model")


def run(arguments: argparse.Namespace) -> int:
    """Run the trainer as a process of its own; its exit code is ours."""
    return start("train", arguments.name, arguments.rest)


def add_trainer_parser(subparsers: Any, command: str, purpose: str) -> None:
    """Add the arguments of `train` or `evaluate`."""
    known = ", ".join(modules_for(command)) or "none in this installation"
    parser = subparsers.add_parser(
        command,
        help=purpose,
        description=f"Start a script of `trainers` to {purpose}. Everything after NAME is passed "
        f"to it: `vscanner {command} NAME --help` shows its settings.",
        epilog=f"NAME is one of: {known}",
    )
    parser.add_argument("name", metavar="NAME", help="name of the pipeline")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="arguments of the script")


def modules_for(command: str) -> dict[str, str]:
    """Pipeline to module, for those that this installation can train or evaluate."""
    spec = find_spec("trainers")  # looks, imports nothing
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    found = {}
    for name in catalog.names():
        for pattern in reversed(MODULES[command]):
            module = pattern.format(name)
            if any((folder / f"{module.replace('.', '/')}.py").is_file() for folder in folders):
                found[name] = f"trainers.{module}"
    return found


def start(command: str, name: str, rest: Sequence[str]) -> int:
    """Run the script for a pipeline and give its exit code.

    Raises:
        CommandError: there is no such script, or its packages are not installed.
    """
    modules = modules_for(command)
    if name not in modules:
        known = ", ".join(modules) or "none in this installation"
        raise CommandError(f"There is nothing called {name!r} to {command}; there are: {known}.")
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise CommandError(
            f"The trainers need packages that are not installed ({', '.join(missing)}); "
            "install them with: pip install 'virtual-scanner[models,train]'"
        )
    command_line = [sys.executable, "-m", modules[name], *rest]
    return subprocess.run(command_line, check=False).returncode
