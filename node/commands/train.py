"""`vscanner train`: start a trainer, on folders, or on what one's own PACS holds."""

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

NEEDED = ("torch", "tqdm", "skimage", "dicomanonymizer")
"""A sample of what the extras `models` and `train` bring."""

MODULES = {"train": "{}", "evaluate": "evaluation.{}"}
"""Below the package `trainers`: the module that trains, or measures, a pipeline."""


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    known = ", ".join(modules_for("train")) or "none in this installation"
    parser = subparsers.add_parser(
        "train",
        help="train a model",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a model on files, or on images gathered from one's own PACS. What the\n"
        "list below does not name is passed to the trainer: `vscanner train NAME --help`\n"
        f"shows its settings.\n\nNAME is one of: {known}",
        epilog=_gathering_parser().format_help() + "\nexamples:\n"
        "  vscanner train ldct_denoise --train ~/ct/a ~/ct/b --out runs/a\n"
        "  vscanner train ldct_denoise --from pacs --data ~/set --studies 50 --out runs/b\n"
        "  vscanner train ct_to_pet --from pacs --data ~/set --also 'PT={Modality: PT}' "
        "--gather-only",
    )
    parser.add_argument("name", metavar="NAME", help="name of the pipeline")
    add_rest(parser)


def add_rest(parser: argparse.ArgumentParser) -> None:
    """Take everything after the name, which a trainer's own parser reads; it may be nothing."""
    rest = parser.add_argument("rest", nargs=argparse.REMAINDER, help="see below")
    rest.required = False  # else a missing name is told as two


def _gathering_parser() -> argparse.ArgumentParser:
    """The options that gather images from a PACS; the trainer gets all others."""
    parser = argparse.ArgumentParser(
        prog="vscanner train NAME", add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS
    )
    group = parser.add_argument_group("images from one's own PACS")
    group.add_argument("--from", dest="peer", metavar="PEER", help="name of a peer in the config")
    group.add_argument(
        "--config", type=Path, default=Path("node.yaml"), help="node.yaml: peers and routes"
    )
    group.add_argument("--data", type=Path, metavar="DIR", help="the data set; made, or grown")
    group.add_argument("--studies", type=int, default=0, help="studies to keep; 0 for all")
    group.add_argument("--dates", default="", metavar="FROM-TO", help="Study Date, as 20250101-")
    _add_ways(group)
    return parser


def _add_ways(group: Any) -> None:
    """How images are found, and which besides the inputs."""
    group.add_argument(
        "--by",
        choices=("auto", "dicomweb", "dimse"),
        default="auto",
        help="QIDO-RS and WADO-RS, or C-FIND and C-GET; auto takes what the peer has",
    )
    group.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ROLE=CONDITIONS",
        help="further series of the same study, as 'PT={Modality: PT}'",
    )
    group.add_argument(
        "--unpaired", action="store_true", help="further series also where no input is"
    )
    group.add_argument(
        "--salt", type=Path, metavar="FILE", help="the site's secret; made in node.data_dir if new"
    )
    group.add_argument("--gather-only", action="store_true", help="train nothing")


def run(arguments: argparse.Namespace) -> int:
    """Gather images where that is asked for; then run the trainer, whose exit code is ours."""
    modules = modules_for("train")
    if arguments.name not in modules:
        known = ", ".join(modules) or "none in this installation"
        raise CommandError(
            f"There is nothing called {arguments.name!r} to train; there are: {known}."
        )
    asked, rest = _gathering_parser().parse_known_args(arguments.rest)
    if asked.peer is None:
        return run_module(modules[arguments.name], arguments.rest)
    if asked.data is None:
        raise CommandError("--from needs --data DIR: where the de-identified images are kept.")
    require_packages()
    # only now, since it needs a package of the extra `train`
    from node.gathering.command import gather

    gather(arguments.name, asked)
    if asked.gather_only:
        return 0
    return run_module(modules[arguments.name], ["--data", str(asked.data), *rest])


def modules_for(command: str) -> dict[str, str]:
    """Pipeline to module, for those that this installation can train or evaluate."""
    spec = find_spec("trainers")  # looks, imports nothing
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    found = {}
    for name in catalog.names():
        module = MODULES[command].format(name)
        if any((folder / f"{module.replace('.', '/')}.py").is_file() for folder in folders):
            found[name] = f"trainers.{module}"
    return found


def run_module(module: str, rest: Sequence[str]) -> int:
    """Run a module of `trainers` as a process of its own and give its exit code.

    Raises:
        CommandError: the packages that it needs are not installed.
    """
    require_packages()
    command_line = [sys.executable, "-m", module, *rest]
    return subprocess.run(command_line, check=False).returncode


def require_packages() -> None:
    """See that what the trainers need is installed.

    Raises:
        CommandError: it is not.
    """
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise CommandError(
            f"The trainers need packages that are not installed ({', '.join(missing)}); "
            "install them in the program's folder with: "
            ".venv/bin/pip install -c requirements.lock -e '.[models,train]'"
        )
