"""What a person may do by the page or by JSON: retry, cancel, release, force complete."""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa
from starlette.exceptions import HTTPException

from node.database.tables import series
from node.jobs.ledger import Job, JobLedger, UnknownJob, WrongJobState
from node.web.admission import await_admission
from node.web.site import Site

log = logging.getLogger(__name__)

JOB_ACTIONS: dict[str, Callable[[JobLedger, str], Job]] = {
    "retry": JobLedger.retry,
    "cancel": JobLedger.cancel,
    "release": JobLedger.release,
}


def find_job(site: Site, job_id: str) -> Job:
    """The job of that id; 404 otherwise."""
    job = site.ledger.get(job_id)
    if job is None:
        raise HTTPException(404, str(UnknownJob(job_id)))
    return job


def act_on_job(site: Site, id: str, action: str) -> Job:  # noqa: A002 - the path's own name
    """Retry, cancel or release a job.

    Raises:
        HTTPException: 404 for an unknown job, 409 where its state does not allow it.
    """
    if action not in JOB_ACTIONS:
        raise HTTPException(
            404, f"What a job takes is {', '.join(JOB_ACTIONS)}; got {action[:40]!r}."
        )
    try:
        job = JOB_ACTIONS[action](site.ledger, id)
    except UnknownJob as error:
        raise HTTPException(404, str(error)) from error
    except WrongJobState as error:
        raise HTTPException(409, str(error)) from error
    facts = {"action": f"job_{action}_by_web", "job": job.id, "run": job.run}
    log.info("A person asked for something on the web page", extra=facts)
    return job


def force_complete(site: Site, series_instance_uid: str) -> None:
    """Take a series as complete as it is; assembly acts on it at its next look.

    Raises:
        HTTPException: 404 for an unknown series, 409 for one that is complete already.
    """
    await_admission(site.spool)
    this = series.c.series_instance_uid == series_instance_uid
    with site.database.begin() as connection:
        changed = connection.execute(
            sa.update(series).where(this, series.c.state == "RECEIVING").values(force_complete=True)
        )
        if changed.rowcount == 0:
            state = connection.scalar(sa.select(series.c.state).where(this))
            if state is None:
                sentence = f"There is no series {series_instance_uid} here."
                raise HTTPException(404, sentence)
            raise HTTPException(409, f"This series is complete already: it is {state}.")
    facts = {"action": "series_forced_complete", "series": series_instance_uid}
    log.info("A person took a series as complete", extra=facts)
