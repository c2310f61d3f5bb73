"""Is the node alive, and is it ready to take a study and to answer it?"""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from node.config import Config, NodeSettings
from node.web.admission import standstill
from node.web.site import Site, site_of
from node.web.standing import live_workers

CONNECT_TIMEOUT_S = 2.0
FINE = "ok"
READ_ONLY = "SELECT current_setting('transaction_read_only')"


async def get_live(_request: Request) -> Response:
    """`GET /health/live`: this process answers, also while all threads wait for a disk."""
    return JSONResponse({"status": "live"})


def get_ready(request: Request) -> Response:
    """`GET /health/ready`, `GET /health`: 200 when every part works, 503 with what does not."""
    parts = readiness(site_of(request))
    ready = all(found == FINE for found in parts.values())
    status = "ready" if ready else "not ready"
    return JSONResponse({"status": status, "parts": parts}, status_code=200 if ready else 503)


def readiness(site: Site) -> dict[str, str]:
    """Each part of the node, and `ok` or a sentence on what is wrong with it."""
    checks: dict[str, Callable[[], str]] = {
        "database": lambda: _check_database(site),
        "data_dir": lambda: _check_folder(site.config.node.data_dir),
        "receiver": lambda: _check_receiver(site.config.node),
        "assembler": lambda: standstill(site.spool, datetime.now(UTC)) or FINE,
        "worker": lambda: _check_worker(site),
    }
    return {name: check() for name, check in checks.items()}


def _check_database(site: Site) -> str:
    try:
        with site.database.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            read_only = connection.exec_driver_sql("SELECT 'off'" if is_sqlite else READ_ONLY)
            if read_only.scalar() == "on":
                return "The database is read only, as a standby is; see that it takes changes."
    except SQLAlchemyError as error:
        return f"The database does not answer: {type(error).__name__}."
    return FINE


def _check_folder(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"ready")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return f"The data directory cannot be written to: {error.strerror}."
    return FINE


def _check_receiver(settings: NodeSettings) -> str:
    host = own_address(settings.host)
    try:
        socket.create_connection((host, settings.port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return f"Nothing accepts DICOM associations on port {settings.port}: {reason}."
    return FINE


def _check_worker(site: Site) -> str:
    try:
        with site.database.connect() as connection:
            workers = live_workers(connection, site.config, datetime.now(UTC))
    except SQLAlchemyError:
        return "Unknown, as the database does not answer."
    return FINE if workers else _no_worker(site.config)


def _no_worker(config: Config) -> str:
    return f"No worker has given a sign of life for {config.jobs.lost_after_s:g} s; start one."


def own_address(host: str) -> str:
    """Where we reach a socket of this machine that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host
