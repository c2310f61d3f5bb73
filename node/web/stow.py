"""STOW-RS: `POST /dicom-web/studies` and `/dicom-web/studies/{study}` (PS3.18 10.5).

The body is read as it arrives and goes piece by piece into the spool's `incoming/`, so memory stays
bounded however large an instance is; an instance is durable before the answer names it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from node.config import Config
from node.web.accept import chosen_type
from node.web.multipart import MultipartError, parse_content_type, read_parts
from node.web.native_xml import native_xml
from node.web.site import site_of
from node.web.upload import Upload, UploadResult

log = logging.getLogger(__name__)

DICOM, MULTIPART = "application/dicom", "multipart/related"
DICOM_JSON, PLAIN_JSON, DICOM_XML = (
    "application/dicom+json",
    "application/json",
    "application/dicom+xml",
)
ANSWERS = (DICOM_JSON, PLAIN_JSON, DICOM_XML)
"""What the response can be, the usual first (PS3.18 10.5.3.3); older clients say plain JSON."""

UNNAMED_SOURCE = "STOW-RS"
"""Source AE of what comes from this machine itself, when no peer has its address."""


async def post_studies(request: Request) -> Response:
    """Store the instances of a request; the status is that of PS3.18 table 10.5.3-1."""
    media_type = answer_type(request)
    boundary = boundary_of(request.headers.get("content-type", ""))
    site = site_of(request)
    host = request.client.host if request.client else ""
    source = await run_in_threadpool(source_of, site.config, host)
    name = f"stow{secrets.token_hex(6)}"
    study = request.path_params.get("study", "")
    upload = Upload(site.spool, site.config, source, name, site.counts, study)
    started = datetime.now(UTC)
    try:
        chunks = without_silence(request.stream(), site.config.node.idle_timeout_s)
        async for event in read_parts(chunks, boundary):
            await run_in_threadpool(upload.take, event)
    except MultipartError as error:
        kept = len(upload.result.stored)
        sentence = f"{error} {kept} instance(s) before that were stored."
        raise HTTPException(400, sentence) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The sender has gone before the end of its request.") from error
    finally:
        await run_in_threadpool(upload.close)
        _log_request(upload, source, started)
    return answer(upload.result, media_type)


async def without_silence(chunks: AsyncIterator[bytes], longest_s: float) -> AsyncIterator[bytes]:
    """A body as it arrives, as long as it does arrive.

    Raises:
        MultipartError: nothing came for `longest_s`; a sender that is gone says no word of it.
    """
    while True:
        try:
            async with asyncio.timeout(longest_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            sentence = f"Nothing came for {longest_s:g} s (node.idle_timeout_s); send it again."
            raise MultipartError(sentence) from error
        yield chunk


def answer_type(request: Request) -> str:
    """The media type of the response; the query parameter goes before the header (PS3.18 8.3.3).

    Raises:
        HTTPException: 406 where we cannot give what is accepted; nothing has been stored then.
    """
    wanted = request.query_params.get("accept") or request.headers.get("accept", "")
    found = chosen_type(wanted, ANSWERS)
    if found is None:
        sentence = f"STOW-RS answers in {DICOM_JSON} or {DICOM_XML}; accepted is {wanted[:80]!r}."
        raise HTTPException(406, f"{sentence} Nothing was stored.")
    return found


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart/related body of DICOM instances, "" where there is none.

    Raises:
        HTTPException: 415 for another kind of body.
    """
    kind, parameters = parse_content_type(content_type)
    root = parameters.get("type", DICOM).lower()
    if kind != MULTIPART or root != DICOM:
        sentence = f'STOW-RS takes {MULTIPART}; type="{DICOM}" here, got {content_type[:80]!r}.'
        raise HTTPException(415, sentence)
    return parameters.get("boundary", "")


def source_of(config: Config, host: str) -> str:
    """AE title under which instances from this address are kept.

    Raises:
        HTTPException: 403 where the address is neither a peer's that may call, nor our own.
    """
    callers = [peer for peer in config.peers if peer.may_call]
    for peer in callers:
        if host in _addresses(peer.host):
            return peer.ae_title
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise HTTPException(403, f"{host} is not the address of a peer; add it to node.yaml.")
    return UNNAMED_SOURCE


def answer(result: UploadResult, media_type: str = DICOM_JSON) -> Response:
    """The Store Instances Response (PS3.18 10.5.3.3, annex I) and its status."""
    if not result.stored and not result.failed:
        raise HTTPException(400, "The request has no instances.")
    status_code = 200
    if result.failed:
        status_code = 202 if result.stored else 409
    module = result.to_dicom_json()
    if media_type == DICOM_XML:
        return Response(native_xml(module), status_code, media_type=DICOM_XML)
    return JSONResponse(module, status_code, media_type=media_type)


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # nobody has that name, or nobody can have it
        return set()
    return {str(entry[4][0]) for entry in found}


def _log_request(upload: Upload, source: str, started: datetime) -> None:
    facts = {
        "action": "stow_request",
        "source_ae": source,
        "stored": len(upload.result.stored),
        "failed": len(upload.result.failed),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
    }
    log.info("A STOW-RS request ended", extra=facts)
