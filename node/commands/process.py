"""`vscanner process`: translate a folder of DICOM files, without a network."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dicom_profiles.reading import FolderContents
from node.commands.tables import output
from node.config import Config, NodeSettings
from node.config_file import load_config
from node.errors import CommandError
from node.offline import Answer, FolderProcessor
from node.routing.folder_decisions import FolderSeries, explain_folder, read_folder, rules_of

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

STYLES = {
    "WRITTEN": "green",
    "HELD": "yellow",
    "SET_ASIDE": "dim",
    "JOINED": "green",
    "UNROUTED": "yellow",
    "REFUSED": "red",
    "FAILED": "bold red",
}
UNGATED_WARNING = (
    "[bold red]The gate is skipped.[/bold red] The derived objects say UNGATED and are for "
    "research only; the node does not send such objects."
)


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "process",
        help="translate a folder of DICOM files, without a network",
        description="The node's own way on a folder: the same assembly, rules, gate, translation, "
        "writing and check. Derived files go to OUT_DIR, a table of decisions to the terminal.",
        epilog="Exit code 0: everything asked for was done, and a refusal is an answer; 1: "
        "something failed, or the named pipeline took nothing. "
        "example: vscanner process ~/study ~/out --pipeline ldct_denoise",
    )
    parser.add_argument("in_dir", type=Path, metavar="IN_DIR", help="folder of DICOM files")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder for derived files")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="node.yaml; without it, one rule a pipeline"
    )
    parser.add_argument(
        "--pipeline", metavar="NAME", help="every series goes to the gate of this pipeline"
    )
    parser.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--ungated", action="store_true", help="skip the gate, for research; the objects say so"
    )
    parser.add_argument(
        "--source-ae", metavar="TITLE", help="AE title of the sender, for rules that ask for it"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    """Process the folder and print what became of every stack."""
    config = load_config(arguments.config) if arguments.config else None
    rules = rules_of(config, arguments.pipeline)
    contents = read_folder(arguments.in_dir)
    _refuse_same_folder(arguments.in_dir, arguments.out_dir)
    console = Console(stderr=True, highlight=False)
    if arguments.ungated:
        console.print(UNGATED_WARNING)
    found = explain_folder(contents, rules, arguments.source_ae)
    device = arguments.device or (config or Config()).jobs.device
    ae_title = (config.node if config else NodeSettings()).ae_title
    processor = FolderProcessor(
        arguments.out_dir,
        rules,
        ae_title,
        lambda name: load_pipeline(name, device),
        ungated=arguments.ungated,
    )
    answers = process_all(processor, found, console)
    if arguments.json:
        print(json.dumps(to_json(found, answers, contents), indent=1))
    else:
        print_table(answers, contents)
    return exit_code(answers, named=arguments.pipeline is not None)


def load_pipeline(name: str, device: str) -> Pipeline:
    """Load a pipeline; only here is torch imported."""
    from pipelines import load

    return load(name, device=device)


def process_all(
    processor: FolderProcessor, found: Sequence[FolderSeries], console: Console
) -> list[Answer]:
    """Answer every stack, with a progress bar on `console`."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    answers = []
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        for series in found:
            for finding in series.explanation.stacks:
                line = bar.add_task(finding.stack.label, total=len(finding.stack.instances))

                def show(done: int, total: int, line: Any = line) -> None:
                    bar.update(line, completed=done, total=total)

                answers.append(processor.answer(series, finding, show))
                bar.remove_task(line)
    return answers


def exit_code(answers: Sequence[Answer], *, named: bool) -> int:
    """0 when everything asked for was done.

    Args:
        answers: what became of each stack.
        named: a pipeline was asked for by name, so a series should have been translated.
    """
    states = {answer.state for answer in answers}
    if "FAILED" in states:
        return 1
    return 1 if named and not states & {"WRITTEN", "HELD"} else 0


def to_json(
    found: Sequence[FolderSeries], answers: Sequence[Answer], contents: FolderContents
) -> dict[str, Any]:
    """The whole result as plain JSON values."""
    return {
        "answers": [answer.to_json() for answer in answers],
        "decisions": [series.to_json() for series in found],
        "ignored": contents.ignored,
        "unreadable": [sentence for _, sentence in contents.unreadable],
    }


def print_table(answers: Sequence[Answer], contents: FolderContents) -> None:
    """The decisions as a table on standard output."""
    console = output()
    table = Table(title="Decisions", title_justify="left", expand=console.is_terminal)
    for heading in ("Series", "Images", "Route", "State", "QC", "Files", "Reason"):
        table.add_column(heading, overflow="fold")
    for answer in answers:
        style = STYLES.get(answer.state, "")
        table.add_row(
            escape(f"…{answer.series_instance_uid[-12:]}\n{answer.label}"),
            str(answer.instances),
            escape(answer.route) or "-",
            f"[{style}]{answer.state.replace('_', ' ')}[/{style}]",
            answer.qc_verdict or "-",
            str(len(answer.files) or "-"),
            escape("\n".join((answer.reason, *answer.findings))),
        )
    console.print(table)
    for _, sentence in contents.unreadable:
        console.print(f"[red]unreadable[/red] {escape(sentence)}", soft_wrap=True)
    if contents.ignored:
        console.print(f"{contents.ignored} file(s) are not DICOM and were passed over.")


def _refuse_same_folder(in_dir: Path, out_dir: Path) -> None:
    if out_dir.exists() and not out_dir.is_dir():
        raise CommandError(f"OUT_DIR should be a folder, {out_dir} is a file.")
    if out_dir.resolve() == in_dir.resolve():
        raise CommandError("OUT_DIR should be another folder than IN_DIR; name a new one.")
