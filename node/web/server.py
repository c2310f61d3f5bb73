"""The process that serves the status page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from sqlalchemy.engine import Engine
from uvicorn.protocols.http.h11_impl import H11Protocol

from node.config import Config
from node.database.tables import unopened_database
from node.web.address import site_address
from node.web.app import create_app

log = logging.getLogger(__name__)

GRACE_S = 5
KEEP_ALIVE_S = 30
REQUEST_S = 30
"""A connection may take so long until its request is here; twice as long for a later one."""
MOST_CONNECTIONS = 256  # well below what a process may open: Python fills the log where it fails
BACKLOG = 128  # connections that are accepted in one go, before they are counted


class Protocol(H11Protocol):
    """HTTP that closes a connection without a request: uvicorn itself waits for it for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the connection now and then."""
        super().connection_made(transport)
        self._seen: Any = None  # the request that was there at the last look
        self._next_look = self.loop.call_later(REQUEST_S, self._look)
        if len(self.connections) > MOST_CONNECTIONS:
            others = (one for one in self.connections if isinstance(one, Protocol))
            next((one for one in others if one is not self and one.waits), self).transport.close()

    @property
    def waits(self) -> bool:
        """Whether nothing is asked just now, so that it may give way to somebody else."""
        asked = self.cycle is not None and not self.cycle.response_complete
        return not asked and not self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self.waits and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = self.cycle
        self._next_look = self.loop.call_later(REQUEST_S, self._look)


class Server(uvicorn.Server):
    """uvicorn that ends on SIGTERM and leaves Ctrl-C to whoever started this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in peace on SIGTERM; uvicorn itself would raise the signal again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set signals
            return
        before = signal.signal(signal.SIGTERM, self.handle_exit)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def make_server(config: Config, database: Engine) -> Server:
    """The server of the page, not yet running."""
    settings = uvicorn.Config(
        create_app(config, database),
        host=config.web.host,
        port=config.web.port,
        access_log=False,  # addresses carry UIDs of patients' studies
        log_config=None,  # node.logs has set up logging
        log_level="warning",  # that it runs is said by our own line
        lifespan="off",
        http=Protocol,
        backlog=BACKLOG,
        ws="none",  # what would pass by the guard
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return Server(settings)


def main(config: Config) -> None:
    """Serve until SIGTERM, also while the database is away.

    Raises:
        SystemExit: the port cannot be opened.
    """
    database = unopened_database(config.node)  # the service opens it
    address = f"{site_address(config.web)}/"
    log.info("The status page is served", extra={"action": "web_started", "address": address})
    make_server(config, database).run()
    database.dispose()
