"""The node's way without a network: a folder of DICOM files in, derived files out.

The decisions are those of `folder_decisions`; gate, translation, writing and check are those of the
node, step by step on a job's folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_profiles.errors import ProfileError, UnreadableInstance
from dicom_profiles.reading import read_header
from dicom_profiles.sources.source import source_of
from node.config import RouteSettings
from node.errors import NodeError
from node.routing.folder_decisions import FolderSeries
from node.routing.pairing import Group
from node.routing.routed_jobs import model_of
from node.routing.rules import Outcome, Rule, StackFinding
from node.steps.check import check_step
from node.steps.folder import JobFolder, JobInput
from node.steps.gate import gate_step
from node.steps.translate import translate_step
from node.steps.write import write_step
from node.working.retry import sentence_of
from pipelines.errors import NothingToTranslate, PipelineError

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

Progress = Callable[[int, int], None]
Load = Callable[[str], "Pipeline"]
Paths = Mapping[str, tuple[Path, ...]]
"""Input key to the files of a source, in slice order."""


@dataclass(frozen=True)
class Answer:
    """What became of one stack.

    Attributes:
        series_instance_uid: the source series.
        label: what the stack is.
        instances: how many images it has.
        state: WRITTEN, REFUSED, HELD, FAILED, SET_ASIDE, UNROUTED, or JOINED when the stack is
            a further input of another stack's job.
        route: that took it, "" when none did.
        reason: one sentence.
        qc_verdict: of the quality record.
        files: derived files, in the order of sending.
        inputs: input key to the source series, where there was a job.
    """

    series_instance_uid: str
    label: str
    instances: int
    state: str
    route: str
    reason: str
    qc_verdict: str = ""
    files: tuple[Path, ...] = ()
    findings: tuple[str, ...] = field(default=())
    inputs: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "series": self.series_instance_uid,
            "stack": self.label,
            "instances": self.instances,
            "state": self.state,
            "route": self.route,
            "reason": self.reason,
            "qc": self.qc_verdict,
            "files": [str(path) for path in self.files],
            "findings": list(self.findings),
            "inputs": dict(self.inputs),
        }


class FolderProcessor:
    """Translates the stacks of a folder that the rules take.

    Args:
        out_dir: where derived files go, one folder a derived series.
        rules: as for `explain_folder`.
        ae_title: what the derived objects name as the node.
        load: gives a pipeline by its name, warm; called once a pipeline.
        ungated: skip the gate, for research; the objects say so.
    """

    def __init__(
        self,
        out_dir: Path,
        rules: Sequence[Rule],
        ae_title: str,
        load: Load,
        *,
        ungated: bool = False,
    ) -> None:
        self.out_dir = out_dir
        self.routes = {rule.settings.name: rule.settings for rule in rules}
        self.ae_title = ae_title
        self.ungated = ungated
        self._load = load
        self._pipelines: dict[str, Pipeline] = {}

    def answer(self, series: FolderSeries, finding: StackFinding, progress: Progress) -> Answer:
        """Do what the decision about a stack asks for.

        Args:
            series: the series to which the stack belongs.
            finding: the decision about it.
            progress: called with (slices done, slices in all).
        """
        route = finding.taken_by.route if finding.taken_by else ""
        answer = Answer(
            series.series_instance_uid,
            finding.stack.label,
            len(finding.stack.instances),
            finding.outcome.upper(),
            route,
            finding.reason,
        )
        group = series.group_of(finding)
        if group is not None:
            answer = _answer_of_group(answer, group, finding, ungated=self.ungated)
            wanted = answer.state == Outcome.TAKEN.upper()
        else:
            # without a verdict of the gate it is synthetic or unknown: no scope to leave out
            wanted = self.ungated and finding.outcome == Outcome.REFUSED and bool(finding.gate)
        if not wanted:
            return answer
        try:
            sources = _paths_of_group(group) if group else _paths_of_stack(finding)
            return self._translate(answer, sources, self.routes[route], progress)
        except NothingToTranslate as error:
            return replace(answer, state="REFUSED", reason=str(error))
        except (NodeError, ProfileError, PipelineError) as error:
            return replace(answer, state="FAILED", reason=str(error))
        except Exception as error:  # noqa: BLE001 - job runner: the others get their answers
            return replace(answer, state="FAILED", reason=sentence_of(error))

    def _translate(
        self, answer: Answer, sources: Paths, route: RouteSettings, progress: Progress
    ) -> Answer:
        self.out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vscanner-", dir=self.out_dir) as folder:
            job = JobFolder(Path(folder))
            job.prepare(self._input_of(sources, route))
            verdict = gate_step(job)
            if not verdict.accepted:
                return replace(answer, state="REFUSED", reason=verdict.reason)
            record = translate_step(job, self._pipeline(route.pipeline), progress)
            write_step(job)
            findings = tuple(check_step(job))
            if findings:
                text = "The check found a fault in the derived objects; nothing was kept."
                return replace(answer, state="FAILED", reason=text, findings=findings)
            return self._keep(answer, job, record)

    def _keep(self, answer: Answer, job: JobFolder, record: dict[str, Any]) -> Answer:
        """Move the derived files into the output folder; red quality is said, not hidden."""
        kept: list[Path] = []
        for series in job.written or ():
            folder = self.out_dir / series.series_instance_uid
            folder.mkdir(parents=True, exist_ok=True)
            for path in series.paths:
                kept.append(folder / path.name)
                if not _is_same_instance(path, kept[-1]):
                    shutil.move(path, kept[-1])
        verdict = "UNGATED" if self.ungated else str(record["verdict"])
        reasons = " ".join(record.get("reasons", ())) or "Translated, written and checked."
        state = "HELD" if verdict == "RED" else "WRITTEN"
        return replace(answer, state=state, reason=reasons, qc_verdict=verdict, files=tuple(kept))

    def _input_of(self, sources: Paths, route: RouteSettings) -> JobInput:
        model = model_of(route)
        uids = (
            str(read_header(path).SOPInstanceUID) for paths in sources.values() for path in paths
        )
        text = "\n".join(sorted(uids))
        return JobInput(
            **model,
            job_id=hashlib.sha256(f"{text}\n{model}".encode()).hexdigest()[:32],
            sources=sources,
            created=datetime.now(UTC),
            ae_title=self.ae_title,
            ungated=self.ungated,
        )

    def _pipeline(self, name: str) -> Pipeline:
        if name not in self._pipelines:
            self._pipelines[name] = self._load(name)
        return self._pipelines[name]


def _answer_of_group(
    answer: Answer, group: Group, finding: StackFinding, *, ungated: bool
) -> Answer:
    """What the group of a stack says of it, before anything is translated."""
    inputs = {member.key: member.series_instance_uid for member in group.members}
    said = " ".join(part for part in (answer.reason, group.sentence) if part)
    answer = replace(answer, reason=said, inputs=inputs)
    if group.members[0].finding is not finding:
        return replace(answer, state="JOINED")
    if not group.verdict.accepted and not ungated:
        return replace(answer, state="REFUSED", reason=group.verdict.reason)
    return replace(answer, state="HELD", reason=group.held) if group.held else answer


def _paths_of_group(group: Group) -> Paths:
    return {
        member.key: tuple(one.path.resolve() for one in member.source.instances)
        for member in group.members
    }


def _paths_of_stack(finding: StackFinding) -> Paths:
    """A stack that the gate refuses, for research."""
    source = finding.source or source_of(finding.stack.instances)
    return {finding.input_key: tuple(one.path.resolve() for one in source.instances)}


def _is_same_instance(path: Path, earlier: Path) -> bool:
    """Whether an earlier run left the same instance: one UID has one content, so that one stays."""
    if not earlier.exists():
        return False
    try:
        uid = str(read_header(earlier).SOPInstanceUID)
    except UnreadableInstance:
        return False
    return uid == str(read_header(path).SOPInstanceUID)
