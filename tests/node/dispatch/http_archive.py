"""A web server on loopback that answers as a test wants, whatever it is asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from node.config import PeerSettings

Reply = Callable[[int], tuple[int, bytes]]
"""How many requests came before, to HTTP status and body."""


@dataclass
class HttpArchive:
    """Where it listens, and the headers and bodies of what was sent to it."""

    url: str
    headers: list[Message] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def peer(self, way: str) -> PeerSettings:
        values: dict[str, Any] = {"name": "pacs", "ae_title": "WEB", "host": "127.0.0.1", "port": 1}
        addresses = {"dicomweb": self.url, "orthanc_rest": self.url}
        return PeerSettings.model_validate({**values, **addresses, "send_by": way})


@contextlib.contextmanager
def http_archive(reply: Reply) -> Iterator[HttpArchive]:
    """Run the server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            count = len(archive.bodies)
            archive.headers.append(self.headers)
            archive.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            status, body = reply(count)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the name that the library wants

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        archive = HttpArchive(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield archive
        finally:
            server.shutdown()
            thread.join()
