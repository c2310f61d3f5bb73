"""Step 4: may the derived objects leave? Nothing is dispatched unchecked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from dicom_profiles.checks.check import Finding, check_derived
from node.steps.folder import JobFolder, StepError

Ahead: TypeAlias = Callable[[JobFolder, list[Path]], list[Finding] | None]
"""(job, its objects) to what was found already; None when nobody looked at them."""


def check_step(job: JobFolder, ahead: Ahead = lambda _job, _paths: None) -> list[str]:
    """Check every derived object against its source.

    Args:
        job: the job's folder.
        ahead: who may have looked at them while they were written.

    Returns:
        A sentence for each finding; empty when all may leave.
    """
    written = job.written
    if written is None:
        raise StepError("The check needs derived objects, this job has none.")
    paths = [path for series in written for path in series.paths]
    # Offline and ungated, objects stay in the researcher's folder; the node's own have to leave.
    findings = ahead(job, paths)
    if findings is None:
        findings = check_derived(job.sources, paths, for_dispatch=not job.input.ungated)
    return [f"{finding.path.name}: {finding.sentence}" for finding in findings]
