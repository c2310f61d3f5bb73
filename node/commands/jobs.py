"""`vscanner jobs`: the queue, and what a person may do about a job."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from node.commands.tables import folding_table, output
from node.config_file import load_config
from node.database.waiting import open_at_once
from node.jobs.ledger import Job, JobLedger, JobState

EXAMPLE = """\
examples:
  vscanner jobs                         the newest jobs
  vscanner jobs list --state FAILED     those that need somebody
  vscanner jobs show 3f2a…              one job in full; the beginning of its id is enough
  vscanner jobs retry 3f2a…             another run of a failed, refused or cancelled job
  vscanner jobs release 3f2a…           send a held job's result as it is
  vscanner jobs cancel 3f2a…
"""
SHOWN = 12
"""Characters of an id in the table; enough to name a job."""

ACTIONS: dict[str, Callable[[JobLedger, str], Job]] = {
    "retry": JobLedger.retry,
    "release": JobLedger.release,
    "cancel": JobLedger.cancel,
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "jobs",
        help="list, show, retry or cancel jobs",
        description="The queue: what is made of which series, how far it is, and why not.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "action", nargs="?", default="list", choices=["list", "show", *ACTIONS], help="what to do"
    )
    parser.add_argument("id", nargs="?", help="the job, for all but list")
    parser.add_argument(
        "--state",
        type=str.upper,
        choices=[state.value for state in JobState],
        help="list only these",
    )
    parser.add_argument("--limit", type=int, default=50, help="list so many at most (50)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Show jobs, or change one."""
    ledger = JobLedger(open_at_once(load_config(arguments.config).node))
    if arguments.action == "list":
        state = JobState(arguments.state) if arguments.state else None
        found = ledger.list(state, limit=arguments.limit)
        _print_jobs(found, arguments.config, as_json=arguments.json)
        return 0
    job = ledger.find(arguments.id or "")
    if arguments.action != "show":
        job = ACTIONS[arguments.action](ledger, job.id)
    _print_job(job, as_json=arguments.json)
    return 0


def _print_jobs(found: Sequence[Job], config: Path | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([job.to_json() for job in found], indent=2))
        return
    table = folding_table("id", "state", "route", "model", "tries", "created", "reason")
    for job in found:
        state = f"{job.state} {job.step} {job.progress:.0%}" if job.step else str(job.state)
        created = f"{job.created.astimezone():%Y-%m-%d %H:%M:%S}"  # as on the status page
        facts = (job.route, job.model, str(job.attempts), created, job.reason)
        table.add_row(job.id[:SHOWN], state, *map(escape, facts))
    where = f"of {config}" if config else "of the defaults (name your node.yaml with --config)"
    output().print(table if found else escape(f"There are no such jobs in the database {where}."))


def _print_job(job: Job, *, as_json: bool) -> None:
    values = job.to_json()
    if as_json:
        print(json.dumps(values, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=1)
        table.add_row(key, escape(text))
    output().print(table)
