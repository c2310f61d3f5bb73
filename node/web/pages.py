"""The pages: overview, node, study, series, job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.jobs.ledger import CANCELLABLE, RETRIABLE, Job, JobState
from node.web import actions, rows
from node.web.admission import standstill
from node.web.api import find_series
from node.web.attributes import SeriesHeading
from node.web.health import readiness
from node.web.page import render
from node.web.parameters import choice, whole_number
from node.web.pictures import NoPicture, Stack
from node.web.rendering import DIFFERENCE_SPAN_HU, Window, window_for
from node.web.search import FILTERS, IDENTIFIER, known_routes, search_of
from node.web.site import site_of
from node.web.standing import last_heard, newest_conflicts, standing
from node.web.steps import strip
from pipelines import catalog
from pipelines.errors import UnknownPipeline

STUDIES_ON_A_PAGE = 20
SERIES_ON_A_CARD = 20
"""Of each study on the overview, the newest ones; the study's own page has all."""
SERIES_ON_A_PAGE = 50


def overview(request: Request) -> Response:
    """`GET /`: what came in, where it is now and why."""
    site = site_of(request)
    search = search_of(request)
    page = max(1, whole_number(request, "page", 1))
    with site.database.connect() as connection:
        found = rows.studies_page(
            connection,
            search,
            STUDIES_ON_A_PAGE,
            (page - 1) * STUDIES_ON_A_PAGE,
            rows.Part(SERIES_ON_A_CARD),
            site.tally.count,
        )
        others = {show: replace(search, show=show) for show in FILTERS if show != search.show}
        counts = {show: site.tally.count(connection, other) for show, other in others.items()}
        now = standing(connection, site.config)
        routes = known_routes(connection, [route.name for route in site.config.routes])
    context = {
        "found": found,
        "counts": {**counts, search.show: found.total},
        "search": search,
        "page": page,
        "pages": max(1, -(-found.total // STUDIES_ON_A_PAGE)),
        "standing": now,
        "standstill": standstill(site.spool, now.now),
        "routes": routes,
        "states": [state.value for state in JobState],
        "identifier": IDENTIFIER,
    }
    return render(request, "overview", context)


def node(request: Request) -> Response:
    """`GET /node`: whether it works, its peers and routes, what came twice."""
    site = site_of(request)
    with site.database.connect() as connection:
        context = {
            "parts": readiness(site),
            "standing": standing(connection, site.config),
            "heard": last_heard(connection),
            "conflicts": newest_conflicts(connection),
        }
    return render(request, "node", context)


def study(request: Request) -> Response:
    """`GET /studies/{uid}`: one study and all of its series, page by page."""
    uid = request.path_params["uid"]
    page = max(1, whole_number(request, "page", 1))
    part = rows.Part(SERIES_ON_A_PAGE, (page - 1) * SERIES_ON_A_PAGE)
    with site_of(request).database.connect() as connection:
        found = rows.study(connection, uid, part)
    if found is None:
        raise HTTPException(404, f"There is no study {uid} here; was it sent to this node?")
    pages = max(1, -(-found.series_count // SERIES_ON_A_PAGE))
    return render(request, "study", {"study": found, "page": page, "pages": pages})


def series(request: Request) -> Response:
    """`GET /series/{uid}`: every rule and condition, the evidence, the jobs."""
    return render(request, "series", {"series": find_series(request)})


def job(request: Request) -> Response:
    """`GET /jobs/{id}`: steps, quality, deliveries, pictures."""
    site = site_of(request)
    found = actions.find_job(site, request.path_params["id"])
    stack = site.pictures.stack(found.id)
    if request.headers.get("hx-request") == "true" and _has_news(request, stack):
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    with site.database.connect() as connection:
        delivered = rows.job_deliveries(connection, found.id)
        sources = [rows.one_series(connection, uid) for uid in found.source_series]
    heading = next((each.heading for each in sources if each), None)
    context = {
        "job": found,
        "steps": strip("COMPLETE", rows.progress_of(found)),
        "deliveries": delivered,
        "sources": [each for each in sources if each],
        "actions": possible_actions(found),
        "stack": stack,
        "span": DIFFERENCE_SPAN_HU,
        "meanings": meanings(found.pipeline),
        **_view(request, stack, heading),
    }
    return render(request, "job", context, {"pictures": str(int(stack.has_result))})


def meanings(pipeline: str) -> dict[str, str]:
    """What the rows of a job's page mean, by name: those measured, then the parameters."""
    try:
        card = catalog.card(pipeline)
    except UnknownPipeline:
        return {}  # it is not installed any more
    parameters = {name: parameter.description for name, parameter in card.parameters.items()}
    return {**card.measurements, **parameters}


def post_job(request: Request) -> Response:
    """`POST /jobs/{id}/{action}`: a button of the job page."""
    changed = actions.act_on_job(site_of(request), **request.path_params)
    return RedirectResponse(f"/jobs/{changed.id}", status_code=303)


def post_complete(request: Request) -> Response:
    """`POST /series/{uid}/complete`: the button of the series page."""
    uid = request.path_params["uid"]
    actions.force_complete(site_of(request), uid)
    return RedirectResponse(f"/series/{uid}", status_code=303)


def picture(request: Request) -> Response:
    """`GET /jobs/{id}/pictures/{kind}/{number}.png?window=soft`: one slice, counted from 1."""
    number, kind = request.path_params["number"], request.path_params["kind"]
    pictures = site_of(request).pictures

    def draw(stack: Stack, window: Window) -> bytes:
        return pictures.draw(stack, number, kind, window)

    return _png(request, number, kind, draw)


def projection(request: Request) -> Response:
    """`GET /jobs/{id}/projection.png?window=suv7`: the whole body at a glance."""
    return _png(request, 1, "projection", site_of(request).pictures.project)


def _png(
    request: Request, number: int, kind: str, draw: Callable[[Stack, Window], bytes]
) -> Response:
    """A picture of a job in the window asked for, drawn when the browser's own is out of date.

    Args:
        request: names the job and the window.
        number: of the slice whose files tell whether the picture has changed.
        kind: of picture.
        draw: makes the PNG.
    """
    site = site_of(request)
    try:
        stack = site.pictures.stack(request.path_params["id"])
        window = stack.windows[choice(request, "window", tuple(stack.windows))]
        etag = site.pictures.etag(stack.pair(number), kind, window)
        # Asked again each time, answered from the browser's memory: a retried job shows at once.
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        drawn = draw(stack, window)
    except NoPicture as error:
        raise HTTPException(404, str(error)) from error
    return Response(drawn, headers=headers, media_type="image/png")


def icon(_request: Request) -> Response:
    """`GET /favicon.ico`: none; the pages name their own."""
    return HTMLResponse(status_code=204)


def possible_actions(job: Job) -> tuple[str, ...]:
    """What a person may do with a job as it is."""
    found = []
    if job.state is JobState.HELD:
        found.append("release")
    awaits_confirmation = job.state is JobState.SENT and job.finished is None
    if job.state in RETRIABLE and not awaits_confirmation:
        found.append("retry")
    if job.state in CANCELLABLE:
        found.append("cancel")
    return tuple(found)


def _has_news(request: Request, stack: Stack) -> bool:
    """Whether the pictures have come or gone since the page was loaded."""
    shown = request.query_params.get("pictures")
    return shown is not None and shown != str(int(stack.has_result))


def _view(request: Request, stack: Stack, heading: SeriesHeading | None) -> dict[str, object]:
    """Slice and window that the address asks for, else the middle one and the body part's."""
    usual = next(iter(stack.windows.values()))
    if heading:
        fits = window_for(heading.body_part, heading.description)
        usual = stack.windows.get(fits.name, usual)
    chosen: Window = stack.windows.get(request.query_params.get("window", ""), usual)
    count = len(stack.pairs)
    number = whole_number(request, "slice", (count + 1) // 2)
    number = min(max(1, number), max(1, count))
    kept = stack.kept(number) if stack.pairs else ()
    return {"number": number, "window": chosen, "kept": kept}
