"""`vscanner explain`: which series of a folder would go where, and why not."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from node.config_file import load_config
from node.logs import UNPRINTABLE
from node.routing.folder_decisions import FolderSeries, explain_folder, read_folder, rules_of
from node.routing.rules import Outcome, RuleFinding, StackFinding

FILE_COLUMNS = 400  # into a file or a pipe, a sentence stays on its line

MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]"}
OUTCOME_STYLES = {
    Outcome.TAKEN: "green",
    Outcome.HELD: "yellow",
    Outcome.REFUSED: "red",
    Outcome.SET_ASIDE: "yellow",
    Outcome.UNROUTED: "yellow",
}


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "explain",
        help="which series of a folder would go where, and why not",
        description="Hold every series of a folder against every rule: each condition with what "
        "was wanted and found, what the pipeline recognises, and what its gate says. Nothing is "
        "translated, nothing is sent.",
        epilog="example: vscanner explain ~/study --config node.yaml",
    )
    parser.add_argument("in_dir", type=Path, metavar="IN_DIR", help="folder of DICOM files")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="node.yaml; without it, one rule a pipeline"
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only ask the gate of this pipeline")
    parser.add_argument(
        "--source-ae", metavar="TITLE", help="AE title of the sender, for rules that ask for it"
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    """Print the decision about every series."""
    config = load_config(arguments.config) if arguments.config else None
    rules = rules_of(config, arguments.pipeline)
    contents = read_folder(arguments.in_dir)
    found = explain_folder(contents, rules, arguments.source_ae)
    if arguments.json:
        answer = {
            "series": [one.to_json() for one in found],
            "ignored": contents.ignored,
            "unreadable": [sentence for _, sentence in contents.unreadable],
        }
        print(json.dumps(answer, indent=1))
        return 0
    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_COLUMNS)
    for series in found:
        console.print(tree_of(series))
    for _, sentence in contents.unreadable:
        console.print(f"[red]unreadable[/red] {_shown(sentence)}")
    if contents.ignored:
        console.print(f"{contents.ignored} file(s) are not DICOM and were passed over.")
    return 0


def _shown(text: str) -> str:
    """A sender's text as it is, but for what would move the cursor, turn it around or colour it."""
    return escape(text.translate(UNPRINTABLE))


def tree_of(series: FolderSeries) -> Tree:
    """The decision about one series, for a terminal."""
    uid = _shown(series.series_instance_uid)
    tree = Tree(f"[bold]Series {uid}[/bold], {len(series.instances)} image(s)")
    for finding in series.evidence.findings:
        tree.add(f"[red]{_shown(finding)}[/red]")
    for stack in series.explanation.stacks:
        _add_stack(tree, stack)
    for group in series.groups:
        if group.sentence:
            keys = " + ".join(member.key for member in group.members)
            tree.add(f"{MARKS[group.verdict.accepted]} job of {keys}: {_shown(group.sentence)}")
    return tree


def _add_stack(tree: Tree, finding: StackFinding) -> None:
    style, stack = OUTCOME_STYLES[finding.outcome], finding.stack
    branch = tree.add(
        f"{_shown(stack.label)}, {len(stack.instances)} image(s): "
        f"[{style}]{finding.outcome.replace('_', ' ')}[/{style}]. {_shown(finding.reason)}"
    )
    if stack.difference:
        branch.add(f"split off: other {_shown(stack.difference)}")
    for sign in finding.signs:
        branch.add(f"[red]synthetic[/red]: {_shown(sign)}")
    for rule in finding.rules:
        _add_rule(branch, rule)
    if finding.gate is not None and finding.taken_by is not None:
        gate = branch.add(f"{MARKS[finding.gate.accepted]} gate of {finding.taken_by.pipeline}")
        for reason in finding.gate.reasons:
            gate.add(f"[red]{_shown(reason)}[/red]")


def _add_rule(branch: Tree, rule: RuleFinding) -> None:
    line = branch.add(
        f"{MARKS[rule.takes]} rule '{_shown(rule.route)}' to {rule.pipeline}: {_shown(rule.reason)}"
    )
    for condition in rule.conditions:
        line.add(
            f"{MARKS[condition.holds]} {condition.keyword}: wanted {_shown(condition.wanted)}, "
            f"found {_shown(condition.found)}"
        )
    seen = rule.recognition
    recognised = line.add(f"recognised as {seen.kind}, confidence {seen.confidence:.1f}")
    for reason in seen.reasons:
        recognised.add(_shown(reason))
