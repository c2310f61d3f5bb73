"""JSON for machines: studies, series, jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from node.database.tables import jobs
from node.jobs.ledger import Job, JobState
from node.web import actions
from node.web.admission import await_admission
from node.web.parameters import choice_of, whole_number
from node.web.rows import DeliveryView, SeriesView, StudyView, job_deliveries, one_series
from node.web.rows import studies_page as read_studies_page
from node.web.search import search_of
from node.web.site import Site, site_of

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 1000


def get_studies(request: Request) -> Response:
    """`GET /api/studies`: studies with their series, the one that received something last first.

    Query: `show` (all, working, attention, refused, done), `find`, `route`, `state` as on the
    page; `limit`, `offset`. The header X-Total-Count says how many there are in all.
    """
    limit, offset = whole_number(request, "limit", DEFAULT_LIMIT), whole_number(request, "offset")
    search = search_of(request)
    with site_of(request).database.connect() as connection:
        page = read_studies_page(connection, search, min(limit, LARGEST_LIMIT), offset)
    total = {"X-Total-Count": str(page.total)}
    return JSONResponse([study_json(study) for study in page.studies], headers=total)


def get_series(request: Request) -> Response:
    """`GET /api/series/{uid}`: one series, its evidence, the decision of the rules, its jobs."""
    return JSONResponse(series_json(find_series(request)))


def get_jobs(request: Request) -> Response:
    """`GET /api/jobs`: jobs, the newest first. Query: `state`, `limit`, `offset`."""
    ledger = site_of(request).ledger
    limit, offset = whole_number(request, "limit", DEFAULT_LIMIT), whole_number(request, "offset")
    word = request.query_params.get("state", "").upper()
    state = JobState(choice_of(word, "state", tuple(JobState))) if word else None
    found = ledger.list(state, min(limit, LARGEST_LIMIT), offset)
    count = sa.select(sa.func.count()).select_from(jobs)
    if state is not None:
        count = count.where(jobs.c.state == state)
    with site_of(request).database.connect() as connection:
        total = connection.scalar(count) or 0
    headers = {"X-Total-Count": str(total)}
    return JSONResponse([job.to_json() for job in found], headers=headers)


def get_job(request: Request) -> Response:
    """`GET /api/jobs/{id}`: one job and its deliveries."""
    site = site_of(request)
    return JSONResponse(job_json(site, actions.find_job(site, request.path_params["id"])))


def post_job(request: Request) -> Response:
    """`POST /api/jobs/{id}/{action}`: retry, cancel or release a job."""
    site, parameters = site_of(request), request.path_params
    return JSONResponse(job_json(site, actions.act_on_job(site, **parameters)))


def post_complete(request: Request) -> Response:
    """`POST /api/series/{uid}/complete`: take the series as complete as it is."""
    actions.force_complete(site_of(request), request.path_params["uid"])
    return JSONResponse(series_json(find_series(request)))


def find_series(request: Request) -> SeriesView:
    """The series that a request is about; 404 otherwise."""
    site, uid = site_of(request), request.path_params["uid"]
    found = _series(site, uid)
    if found is None:
        await_admission(site.spool)
        found = _series(site, uid)
    if found is None:
        raise HTTPException(404, f"There is no series {uid} here; was it sent to this node?")
    return found


def _series(site: Site, uid: str) -> SeriesView | None:
    with site.database.connect() as connection:
        return one_series(connection, uid)


def job_json(site: Site, job: Job) -> dict[str, Any]:
    """A job as the contract has it, and its deliveries."""
    with site.database.connect() as connection:
        found = job_deliveries(connection, job.id)
    return {**job.to_json(), "deliveries": [_delivery_json(delivery) for delivery in found]}


def study_json(study: StudyView) -> dict[str, Any]:
    """A study; nothing of the patient but what the status page shows."""
    return {
        "study_instance_uid": study.study_instance_uid,
        "description": study.heading.description,
        "date": study.heading.date,
        "accession_number": study.heading.accession_number,
        "last_received": study.last_received.isoformat(),
        "series": [series_json(series) for series in study.series],
    }


def series_json(series: SeriesView) -> dict[str, Any]:
    """A series with everything that was decided about it."""
    return {
        "series_instance_uid": series.series_instance_uid,
        "study_instance_uid": series.study_instance_uid,
        "description": series.heading.description,
        "modality": series.heading.modality,
        "state": series.state,
        "revision": series.revision,
        "instance_count": series.instance_count,
        "source_ae": series.source_ae,
        "first_received": series.first_received.isoformat(),
        "last_received": series.last_received.isoformat(),
        "completed": series.completed.isoformat() if series.completed else None,
        "force_complete": series.force_complete,
        "evidence": series.evidence,
        "decision": series.decision,
        "reason": series.reason,
        "conflicts": series.conflict_count,
        "jobs": [{"id": job.id, "state": job.state, "reason": job.reason} for job in series.jobs],
    }


def _delivery_json(delivery: DeliveryView) -> dict[str, Any]:
    return {
        "destination": delivery.destination,
        "instances": dict(delivery.counts),
        "updated": delivery.updated.isoformat() if delivery.updated else None,
    }
