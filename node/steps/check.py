"""Step 4: may the derived objects leave? Nothing is dispatched unchecked."""

from __future__ import annotations

from dicom_profiles.check import check_derived
from node.steps.folder import JobFolder, StepError


def check_step(job: JobFolder) -> list[str]:
    """Check every derived object against its source.

    Returns:
        A sentence for each finding; empty when all may leave.
    """
    written = job.written
    if written is None:
        raise StepError("The check needs derived objects, this job has none.")
    paths = [path for series in written for path in series.paths]
    # Offline and ungated, objects stay in the researcher's folder; the node's own have to leave.
    findings = check_derived(job.sources, paths, for_dispatch=not job.input.ungated)
    return [f"{finding.path.name}: {finding.sentence}" for finding in findings]
