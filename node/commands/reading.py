"""`vscanner reading`: make a blind reading, export its answers, open its key and analyse it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dicom_profiles.encoding.part10 import write_durable
from node.config import Config, is_everywhere
from node.config_file import load_config
from node.errors import CommandError
from node.reading.export import to_json
from node.reading.folder import READINGS, find_reading
from node.reading.making import MadeReading, Wish, make_reading
from node.reading.material import find_candidates
from node.web.address import site_address

ANALYSIS = "trainers.evaluation.reading_study"
MOST_READERS = 99

EXAMPLE = """\
examples:
  vscanner reading create chest-1 --real study/ --synthetic derived/ --readers 3 --key chest-1.key
  vscanner reading export chest-1 --out answers.json       answers so far, without the truth
  vscanner reading analyse chest-1 --key chest-1.key --out report/

`create` prints a link for each reader. Keep the key file away from this node and from the readers:
the node publishes only its SHA-256. `analyse` opens the key, which ends the reading for good.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "reading",
        help="blind reading: can readers tell real from synthetic?",
        description="Blind readings: readers judge on the node's page whether images are real.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_create(actions.add_parser("create", help="make a reading from folders of DICOM"))
    for name, purpose in (
        ("export", "answers as JSON, without the truth"),
        ("analyse", "open the key, end the reading, write the report"),
    ):
        action = actions.add_parser(name, help=purpose)
        _add_name(action)
        if name == "export":
            action.add_argument("--out", type=Path, metavar="FILE", help="(default: the terminal)")
            continue
        action.add_argument("--key", type=Path, required=True, help="the key that create wrote")
        action.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="report")
        action.add_argument(
            "--unfinished", action="store_true", help="although readers have not judged all cases"
        )
        action.add_argument(
            "--against", type=Path, metavar="FILE", help="answers.json of another reading's report"
        )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of the reading: small letters, digits, hyphens")
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def _add_create(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    for truth in ("real", "synthetic"):
        parser.add_argument(
            f"--{truth}",
            type=Path,
            nargs="+",
            required=True,
            metavar="FOLDER",
            help=f"{truth} series; their headers must say the same",
        )
    parser.add_argument("--key", type=Path, required=True, help="where the key file is written")
    parser.add_argument("--title", help="what readers see (default: the name)")
    parser.add_argument("--readers", type=int, default=1, help="links to make (default: 1)")
    parser.add_argument("--slices", type=int, help="of each case (default: as all have, up to 40)")
    parser.add_argument("--window", default="", help="shown first: soft, lung, bone, ...")
    parser.add_argument("--seed", type=int, default=0, help="of the lot (default: 0)")
    parser.add_argument(
        "--pairs", action="store_true", help="show a patient twice, real and synthetic"
    )
    parser.add_argument("--resample", action="store_true", help="interpolate all cases to one grid")


def run(arguments: argparse.Namespace) -> int:
    """Do one of the actions."""
    config = load_config(arguments.config) if arguments.config else Config()
    return {"create": _create, "export": _export, "analyse": _analyse}[arguments.action](
        arguments, config
    )


def _create(arguments: argparse.Namespace, config: Config) -> int:
    if not 1 <= arguments.readers <= MOST_READERS:
        raise CommandError(f"1 to {MOST_READERS} readers are possible, got {arguments.readers}.")
    _refuse_key_on_node(arguments.key, config.node.data_dir)
    wish = Wish(
        name=arguments.name,
        title=arguments.title or arguments.name,
        readers=arguments.readers,
        slices=arguments.slices,
        seed=arguments.seed,
        pairs=arguments.pairs,
        resample=arguments.resample,
        window=arguments.window,
    )
    candidates = find_candidates(arguments.real, arguments.synthetic)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("cases", total=None)
        made = make_reading(
            config.node.data_dir / READINGS,
            arguments.key,
            candidates,
            wish,
            lambda done, total: bar.update(line, completed=done, total=total),
        )
    _print_made(made, arguments.key, config)
    return 0


def _refuse_key_on_node(key: Path, data_dir: Path) -> None:
    if key.resolve().is_relative_to(data_dir.resolve()):
        raise CommandError(
            f"The key must not lie on the node, below {data_dir}; keep it elsewhere."
        )


def _print_made(made: MadeReading, key: Path, config: Config) -> None:
    study = made.study
    counts = ", ".join(f"{count} {truth}" for truth, count in sorted(made.counts.items()))
    address = f"{site_address(config.web)}/readings/{study.name}"
    size = "{} slices of {} x {}".format(*study.shape)
    print(f"{len(study.cases)} cases ({counts}), {size} each: {address}")
    print(f"key: {key}, SHA-256 {study.key_sha256}")
    print("Keep the key away from the node and from the readers. The readers' links:")
    for alias, link in made.links.items():
        print(f"  {alias}  {address}/{link}")
    if is_everywhere(config.web.host):
        print(
            "The page listens on all addresses; where browsers know this machine by another name "
            "or port, put that into the links (a dotted name also into web.names)."
        )


def _export(arguments: argparse.Namespace, config: Config) -> int:
    reading = find_reading(config.node.data_dir, arguments.name)
    text = json.dumps(to_json(reading, None), indent=1)
    if arguments.out is None:
        print(text)
    else:
        write_durable(arguments.out, text.encode())
    return 0


def _analyse(arguments: argparse.Namespace, config: Config) -> int:
    if find_spec("trainers") is None:
        raise CommandError("The analysis is part of the trainers, which are not installed here.")
    reading = find_reading(config.node.data_dir, arguments.name)
    opened = reading.open_with(arguments.key, unfinished=arguments.unfinished)
    arguments.out.mkdir(parents=True, exist_ok=True)
    answers = arguments.out / "answers.json"
    write_durable(answers, json.dumps(to_json(reading, opened), indent=1).encode())
    command = [sys.executable, "-m", ANALYSIS, str(answers), "--out", str(arguments.out)]
    if arguments.against is not None:
        command += ["--against", str(arguments.against)]
    return subprocess.run(command, check=False).returncode
