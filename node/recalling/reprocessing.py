"""The job of the installed model for what another version of it did, or was to do."""

from __future__ import annotations

from node.jobs.ledger import PRIORITIES, Job, JobLedger, JobRequest
from pipelines import catalog


def reprocess(ledger: JobLedger, job: Job) -> Job:
    """Make the job of the installed model for the sources of a job; the same one only once.

    Raises:
        UnknownSource: nobody knows those sources here any more.
    """
    card = catalog.card(job.pipeline)
    names = {number: name for name, number in PRIORITIES.items()}
    request = JobRequest(
        route=job.route,
        pipeline=job.pipeline,
        model=card.label,
        weights_sha256=card.weights.sha256,
        study_instance_uid=job.study_instance_uid,
        sources=job.sources,
        source_series=job.source_series,
        source_ae=job.source_ae,
        destinations=job.destinations,
        revision=job.revision,
        parameters=job.parameters,
        priority=names[job.priority],
        evidence={**job.evidence, "recalled_job": job.id},
    )
    return ledger.create(request)[0]
