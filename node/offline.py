"""The node's way without a network: a folder of DICOM files in, derived files out.

The decisions are those of `folder_decisions`; gate, translation, writing and check are those of the
node, step by step on a job's folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicom_profiles.errors import ProfileError, UnreadableInstance
from dicom_profiles.reading import read_header
from dicom_profiles.series import SourceSeries
from node.config import RouteSettings
from node.errors import NodeError
from node.folder_decisions import FolderSeries
from node.routed_jobs import model_of
from node.routing import Outcome, Rule, StackFinding, input_key
from node.steps.check import check_step
from node.steps.folder import JobFolder, JobInput
from node.steps.gate import gate_step
from node.steps.translate import translate_step
from node.steps.write import write_step
from pipelines.errors import PipelineError

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

Progress = Callable[[int, int], None]
Load = Callable[[str], "Pipeline"]


@dataclass(frozen=True)
class Answer:
    """What became of one stack.

    Attributes:
        series_instance_uid: the source series.
        label: what the stack is.
        instances: how many images it has.
        state: WRITTEN, REFUSED, HELD, FAILED, SET_ASIDE or UNROUTED.
        route: that took it, "" when none did.
        reason: one sentence.
        qc_verdict: of the quality record.
        files: derived files, in the order of sending.
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
        wanted = finding.outcome == Outcome.TAKEN
        if self.ungated and finding.outcome == Outcome.REFUSED:
            wanted = True
        if not wanted:
            return answer
        try:
            return self._translate(answer, finding, self.routes[route], progress)
        except (NodeError, ProfileError, PipelineError) as error:
            return replace(answer, state="FAILED", reason=str(error))

    def _translate(
        self, answer: Answer, finding: StackFinding, route: RouteSettings, progress: Progress
    ) -> Answer:
        self.out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vscanner-", dir=self.out_dir) as folder:
            job = JobFolder(Path(folder))
            job.prepare(self._input_of(finding, route))
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

    def _input_of(self, finding: StackFinding, route: RouteSettings) -> JobInput:
        paths = self._sorted_paths(finding)
        model = model_of(route)
        text = "\n".join(sorted(str(header.SOPInstanceUID) for header in finding.stack.headers))
        return JobInput(
            **model,
            job_id=hashlib.sha256(f"{text}\n{model}".encode()).hexdigest()[:32],
            sources={input_key(route.pipeline): paths},
            created=datetime.now(UTC),
            ae_title=self.ae_title,
            ungated=self.ungated,
        )

    def _sorted_paths(self, finding: StackFinding) -> tuple[Path, ...]:
        series = SourceSeries.of(finding.stack.instances)
        return tuple(instance.path.resolve() for instance in series.instances)

    def _pipeline(self, name: str) -> Pipeline:
        if name not in self._pipelines:
            self._pipelines[name] = self._load(name)
        return self._pipelines[name]


def _is_same_instance(path: Path, earlier: Path) -> bool:
    """Whether an earlier run left the same instance: one UID has one content, so that one stays."""
    if not earlier.exists():
        return False
    try:
        uid = str(read_header(earlier).SOPInstanceUID)
    except UnreadableInstance:
        return False
    return uid == str(read_header(path).SOPInstanceUID)
