"""The pages of blind readings: the list, one reading, and the page on which a reader judges.

A reader comes by a personal link. Addresses name positions in that reader's own order, never a
case; every case answers with the same number of bytes in the same headers; and nothing that this
process can read holds the truth before the key is opened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import jinja2
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from node.reading.answers import Answer
from node.reading.errors import ReadingClosed, ReadingError, UnknownReading
from node.reading.folder import ReadingFolder, all_readings, find_reading
from node.reading.study import Reader
from node.reading.words import JUDGEMENT_LABELS, LONGEST_REASON
from node.web.site import site_of

MOST_FORM_BYTES = 64_000
MOST_FIELDS = 100


def readings(request: Request) -> Response:
    """`GET /readings`: every reading of this node."""
    found = all_readings(site_of(request).config.node.data_dir)
    return _page(request, "readings.html", {"readings": found})


def reading(request: Request) -> Response:
    """`GET /readings/{name}`: what was committed to, how far the readers are."""
    found = _find(request)
    left = found.unanswered()
    return _page(request, "reading.html", {"reading": found, "study": found.study, "left": left})


def judge(request: Request) -> Response:
    """`GET /readings/{name}/{link}`: on to the first case that the reader has not judged."""
    found, reader = _find_reader(request)
    answered = found.answers.latest(reader.alias)
    order = found.study.order_of(reader.alias)
    position = next((n for n, case in enumerate(order, 1) if case not in answered), None)
    base = f"/readings/{found.study.name}/{request.path_params['link']}"
    return RedirectResponse(f"{base}/{position or 'end'}", status_code=303)


def show_case(request: Request) -> Response:
    """`GET /readings/{name}/{link}/{position}`: one case, its viewer and the form."""
    found, reader = _find_reader(request)
    case = _case_at(found, reader, request.path_params["position"])
    answered = found.answers.latest(reader.alias)
    context = {
        **_progress(found, reader, request),
        "position": request.path_params["position"],
        "answer": answered.get(case),
        "JUDGEMENTS": JUDGEMENT_LABELS,
        "LONGEST_REASON": LONGEST_REASON,
    }
    return _page(request, "reading_case.html", context)


def show_end(request: Request) -> Response:
    """`GET /readings/{name}/{link}/end`: thanks, or what is left."""
    found, reader = _find_reader(request)
    return _page(request, "reading_end.html", _progress(found, reader, request))


def slice_pixels(request: Request) -> Response:
    """`GET /readings/{name}/{link}/{position}/{number}`: one slice, uint16, little-endian."""
    found, reader = _find_reader(request)
    case = _case_at(found, reader, request.path_params["position"])
    try:
        pixels = found.slice_pixels(case, request.path_params["number"])
    except UnknownReading as error:
        raise HTTPException(404, str(error)) from error
    return Response(pixels, media_type="application/octet-stream")


async def post_answer(request: Request) -> Response:
    """`POST /readings/{name}/{link}/{position}`: kept on the disk, then on to the next case."""
    if int(request.headers.get("content-length", MOST_FORM_BYTES + 1)) > MOST_FORM_BYTES:
        raise HTTPException(413, f"An answer has up to {MOST_FORM_BYTES} bytes; shorten it.")
    try:
        form = parse_qs((await request.body()).decode(), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "The answer is no form; use the page's own.") from error
    return await run_in_threadpool(_keep, request, form)


def _keep(request: Request, form: dict[str, list[str]]) -> Response:
    found, reader = _find_reader(request)
    position: int = request.path_params["position"]
    case = _case_at(found, reader, position)
    try:
        found.give(reader.alias, _answer(case, form))
    except ReadingClosed as error:
        raise HTTPException(409, str(error)) from error
    except ReadingError as error:
        raise HTTPException(400, str(error)) from error
    base = f"/readings/{found.study.name}/{request.path_params['link']}"
    following = position + 1
    order, answered = found.study.order_of(reader.alias), found.answers.latest(reader.alias)
    if following <= len(order) and order[following - 1] not in answered:
        return RedirectResponse(f"{base}/{following}", status_code=303)
    return RedirectResponse(base, status_code=303)


def _answer(case: str, form: dict[str, list[str]]) -> Answer:
    fields = {
        "case": case,
        "judgement": form.get("judgement", [""])[0],
        "tags": tuple(form.get("tag", ())),
        "reason": form.get("reason", [""])[0].replace("\r\n", "\n").strip(),
        "seconds": form.get("seconds", ["0"])[0],
        "given": datetime.now(UTC),
    }
    try:
        return Answer.model_validate(fields)
    except ValidationError as error:
        wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
        sentence = f"Choose real, synthetic or cannot tell, and keep to the form; wrong: {wrong}."
        raise HTTPException(400, sentence) from error


def _progress(found: ReadingFolder, reader: Reader, request: Request) -> dict[str, Any]:
    """What every page of a reader shows: which positions are judged."""
    answered = found.answers.latest(reader.alias)
    order = found.study.order_of(reader.alias)
    return {
        "study": found.study,
        "reader": reader,
        "base": f"/readings/{found.study.name}/{request.path_params['link']}",
        "done": [case in answered for case in order],
        "closed": found.opened is not None,
    }


def _find(request: Request) -> ReadingFolder:
    data_dir = site_of(request).config.node.data_dir
    try:
        return find_reading(data_dir, request.path_params["name"])
    except UnknownReading as error:
        raise HTTPException(404, str(error)) from error


def _find_reader(request: Request) -> tuple[ReadingFolder, Reader]:
    found = _find(request)
    try:
        return found, found.study.reader_of(request.path_params["link"])
    except UnknownReading as error:
        raise HTTPException(404, str(error)) from error


def _case_at(found: ReadingFolder, reader: Reader, position: int) -> str:
    try:
        return found.study.case_at(reader.alias, position)
    except UnknownReading as error:
        raise HTTPException(404, str(error)) from error


def _page(request: Request, template: str, context: dict[str, Any]) -> Response:
    templates: jinja2.Environment = request.app.state.templates
    facts = {"config": site_of(request).config, **context}
    return HTMLResponse(templates.get_template(template).render(facts))


ROUTES = (
    Route("/readings", readings),
    Route("/readings/{name}", reading),
    Route("/readings/{name}/{link}", judge),
    Route("/readings/{name}/{link}/end", show_end),
    Route("/readings/{name}/{link}/{position:int}", show_case),
    Route("/readings/{name}/{link}/{position:int}", post_answer, methods=["POST"]),
    Route("/readings/{name}/{link}/{position:int}/{number:int}", slice_pixels),
)
