"""Step 1: is the input in the pipeline's scope? From headers alone."""

from __future__ import annotations

from node.steps.folder import JobFolder
from pipelines.contract import GateVerdict
from pipelines.gates import gate


def gate_step(job: JobFolder) -> GateVerdict:
    """Ask the pipeline's gate; a job made `ungated` is always let through."""
    if job.input.ungated:
        return GateVerdict.from_reasons(())
    return gate(job.input.pipeline, job.sources)
