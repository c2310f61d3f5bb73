"""What protects people who look at the page, and the node from foreign pages.

There is no log-in: the page listens on 127.0.0.1 unless configured otherwise, and a site that wants
accounts puts its reverse proxy in front. These guards keep a foreign web page, opened in the same
browser, from acting here (cross-site requests) or from reading here (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

RESPONSE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Without any referrer a browser says "Origin: null" even of our own buttons, and no
    # Sec-Fetch-Site where the page is served without TLS under another name than localhost.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

LONGEST_PATH = 1000
"""Characters; Python takes no number of more than 4300 digits, PostgreSQL no zero byte."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Without patient data, and asked for by monitoring under whatever name it knows us.
OPEN_PATHS = ("/health/", "/metrics")


def is_known_host(host: str, names: Iterable[str]) -> bool:
    """Whether a Host header may reach the pages.

    An address, or a name without a dot, cannot be rebound by a foreign name server; any other
    name must be configured (`web.names`).
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # a bracket without its other half
        name = ""
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        known = {each.lower().rstrip(".") for each in names}
        return "." not in name or name in known
    return True


def is_same_origin(headers: Headers) -> bool:
    """Whether a request that changes something comes from our own page or from no page at all.

    Browsers send Sec-Fetch-Site or Origin with every POST; curl and scripts send neither.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


class Guard:
    """ASGI middleware: refuses what `is_known_host` and `is_same_origin` refuse, adds headers.

    Args:
        app: the application behind it.
        names: host names beyond addresses and single-label names by which we may be called.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self.app = app
        self.names = tuple(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; `node.web.server` lets in nothing but HTTP."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in RESPONSE_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
            return
        log.warning("Refused a web request", extra={"action": "web_request_refused"})
        await refusal(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        path: str = scope["path"]
        if len(path) > LONGEST_PATH or "\0" in path or b"%00" in scope["query_string"]:
            detail = f"An address has up to {LONGEST_PATH} characters and no zero byte."
            return JSONResponse({"detail": detail}, status_code=400)
        if not path.startswith(OPEN_PATHS) and not is_known_host(
            headers.get("host", ""), self.names
        ):
            detail = "This host name is not one of ours; add it to web.names in node.yaml."
            return JSONResponse({"detail": detail}, status_code=421)
        if scope["method"] not in SAFE_METHODS and not is_same_origin(headers):
            detail = "This request was made by a page of another site; use the node's own page."
            return JSONResponse({"detail": detail}, status_code=403)
        return None
