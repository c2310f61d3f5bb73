"""The routes, and what wraps them."""

from __future__ import annotations

import logging
from http import HTTPStatus

from sqlalchemy.engine import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from node.config import Config
from node.database.waiting import AWAY, log_failure
from node.jobs.ledger import JobLedger
from node.spool import Spool
from node.web import api, health, metrics, pages, reading, stow
from node.web.page import STATIC, make_templates, render_error
from node.web.pictures import PictureShelf
from node.web.security import Guard
from node.web.site import Site

log = logging.getLogger(__name__)

MACHINE_PATHS = ("/api/", "/dicom-web/", "/health", "/metrics")

RETRY_AFTER_S = 5

ROUTES = (
    Route("/", pages.overview),
    Route("/node", pages.node),
    Route("/studies/{uid}", pages.study),
    Route("/series/{uid}", pages.series),
    Route("/series/{uid}/complete", pages.post_complete, methods=["POST"]),
    Route("/jobs/{id}", pages.job),
    Route("/jobs/{id}/pictures/{kind}/{number:int}.png", pages.picture),
    Route("/jobs/{id}/projection.png", pages.projection),
    Route("/jobs/{id}/{action}", pages.post_job, methods=["POST"]),
    *reading.ROUTES,
    Route("/favicon.ico", pages.icon),
    Route("/api/studies", api.get_studies),
    Route("/api/series/{uid}", api.get_series),
    Route("/api/series/{uid}/complete", api.post_complete, methods=["POST"]),
    Route("/api/jobs", api.get_jobs),
    Route("/api/jobs/{id}", api.get_job),
    Route("/api/jobs/{id}/{action}", api.post_job, methods=["POST"]),
    Route("/health", health.get_ready),
    Route("/health/live", health.get_live),
    Route("/health/ready", health.get_ready),
    Route("/metrics", metrics.get_metrics),
    Route("/dicom-web/studies", stow.post_studies, methods=["POST"]),
    Route("/dicom-web/studies/{study}", stow.post_studies, methods=["POST"]),
)


def create_app(config: Config, database: Engine) -> Starlette:
    """The web application of a node.

    Args:
        config: the node's configuration.
        database: the node's tables; it need not answer yet.
    """
    app = Starlette(
        routes=[*ROUTES, Mount("/static", StaticFiles(directory=STATIC))],
        middleware=[Middleware(Guard, names=(config.web.host, *config.web.names))],
        exception_handlers={
            HTTPException: _refused,
            **dict.fromkeys(AWAY, _awaiting_database),
            Exception: _failed,
        },
    )
    app.state.templates = make_templates()
    app.state.site = Site(
        config=config,
        database=database,
        ledger=JobLedger(database),
        spool=Spool(config.node.data_dir, database, config.node.min_free_bytes),
        pictures=PictureShelf(database, config.node.data_dir),
    )
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """An answer other than the one asked for, with its sentence."""
    if not isinstance(error, HTTPException):
        raise TypeError(f"Expected an HTTPException, got {type(error).__name__}.") from error
    sentence = error.detail
    if sentence == HTTPStatus(error.status_code).phrase:  # by the router, which says no more
        sentence = _nothing_here(request, sentence)
    answer = await _answer(request, error.status_code, sentence)
    answer.headers.update(error.headers or {})
    return answer


def _nothing_here(request: Request, phrase: str) -> str:
    """For a person or a program, whichever the address is for."""
    if request.url.path.startswith(MACHINE_PATHS):
        return f"{phrase}: no {request.method} here; docs/status_page.md lists what there is."
    return "There is no page at this address."


async def _awaiting_database(request: Request, error: Exception) -> Response:
    """It was not there at the start, or is gone; it may be back at any moment."""
    log_failure(log, "A web request failed", "web_request_failed", error)
    sentence = "The node waits for its database, which does not answer; try again in a moment."
    answer = await _answer(request, 503, sentence)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    """Our fault: logged with its traceback by the server, told without details."""
    facts = {"action": "web_request_failed", "error": type(error).__name__}
    log.error("A web request failed", extra=facts)
    answer = await _answer(request, 500, "The node could not answer; its log says why.")
    answer.headers["Connection"] = "close"  # the server drops the connection after an exception
    return answer


async def _answer(request: Request, status_code: int, sentence: str) -> Response:
    if request.url.path.startswith(MACHINE_PATHS):
        return JSONResponse({"detail": sentence}, status_code)
    return await run_in_threadpool(render_error, request, status_code, sentence)
