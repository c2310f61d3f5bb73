"""`vscanner recall`: what a model version made; reject it, make it again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape

from dicom_profiles.rejection_note import REASONS
from node.commands.tables import folding_table, output
from node.config_file import load_config
from node.database.waiting import open_at_once
from node.dispatch.errors import DispatchError
from node.errors import CommandError
from node.jobs.ledger import Job, JobLedger, UnknownSource
from node.recalling import reprocessing
from node.recalling.rejection import Rejector
from node.working.delivery import Delivery
from pipelines import catalog

EXAMPLE = """\
examples:
  vscanner recall --model ldct_denoise --version 1.0.0
  vscanner recall --model ldct_denoise --version 1.0.0 --reject quality
  vscanner recall --model ldct_denoise --version 1.0.0 --reprocess
"""
ALL = 1_000_000


@dataclass(frozen=True)
class Recalled:
    """One job of the recalled model.

    Attributes:
        job: as it was.
        again: id of the job for the installed version; "" when there is none.
        reason: why there is none.
        notes: destination to the SOP Instance UID of the rejection note that it took; "" where
            it holds nothing of the job.
        not_rejected: why no note was taken.
    """

    job: Job
    again: str = ""
    reason: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    not_rejected: str = ""

    def to_json(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            **self.job.to_json(),
            "reprocessed_by": self.again,
            "not_reprocessed": self.reason,
            "rejection_notes": dict(self.notes),
            "not_rejected": self.not_rejected,
        }


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "recall",
        help="every series that a model version made",
        description="List every derived series that one version of a model made, and where it "
        "went; with --reject, send each of those places a rejection note that asks it to hide "
        "them; with --reprocess, make jobs for the version that is installed now.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="name of the model")
    parser.add_argument("--version", required=True, help="its version, for example 1.0.0")
    parser.add_argument(
        "--reprocess", action="store_true", help="make jobs for the installed version"
    )
    parser.add_argument(
        "--reject",
        choices=sorted(REASONS),
        help="send a rejection note (Key Object Selection) for every series to where it went",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """List; reject and reprocess when asked to."""
    config = load_config(arguments.config)
    database = open_at_once(config.node)
    ledger = JobLedger(database)
    found = ledger.list(model=f"{arguments.model}@{arguments.version}", limit=ALL)
    made = [Recalled(job) for job in found if job.derived_series]
    if arguments.reprocess:
        _refuse_same_version(arguments.model, arguments.version)
        made = [reprocess(ledger, one.job) for one in made]
    if arguments.reject:
        rejector = Rejector(config, Delivery(config, database))
        made = [reject(rejector, one, arguments.reject) for one in made]
    if made or arguments.json:
        _print(made, as_json=arguments.json)
    else:
        output().print(_nothing(ledger), soft_wrap=True)
    return 1 if any(one.not_rejected for one in made) else 0


def reject(rejector: Rejector, recalled: Recalled, reason: str) -> Recalled:
    """Send the notes about one job; a destination that cannot be told does not stop the others."""
    try:
        notes = rejector.reject(recalled.job, reason, datetime.now(UTC))
    except DispatchError as error:
        return replace(recalled, not_rejected=str(error))
    return replace(recalled, notes=notes)


def reprocess(ledger: JobLedger, job: Job) -> Recalled:
    """Make the job of the installed model for the same sources, if they are known."""
    try:
        return Recalled(job, reprocessing.reprocess(ledger, job).id)
    except UnknownSource as error:
        return Recalled(job, reason=str(error))


def _refuse_same_version(model: str, version: str) -> None:
    installed = catalog.card(model).version
    if installed == version:
        raise CommandError(
            f"{model} {version} is the installed version: reprocessing would make the same again; "
            "install another version first."
        )


def _nothing(ledger: JobLedger) -> str:
    """That nothing is to recall, and what did make series: a name may be mistyped."""
    makers = sorted({job.model for job in ledger.list(limit=ALL) if job.derived_series})
    others = f" Versions that did: {', '.join(makers)}." if makers else ""
    return f"That version made no series here.{others}"


def _print(made: list[Recalled], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([one.to_json() for one in made], indent=2))
        return
    table = folding_table(
        "job", "state", "study", "derived series", "sent to", "rejection note", "reprocessed by"
    )
    for one in made:
        series = "\n".join(one.job.derived_series)
        sent = ", ".join(one.job.destinations)
        again = one.again[:12] or one.reason
        notes = one.not_rejected or "\n".join(
            f"{name}: {uid or 'holds nothing'}" for name, uid in one.notes.items()
        )
        state, study = str(one.job.state), one.job.study_instance_uid
        facts = (state, study, series, sent, notes, again)
        table.add_row(one.job.id[:12], *map(escape, facts))
    output().print(table)
