"""What every request needs, built once and kept on the application."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.engine import Engine
from starlette.requests import HTTPConnection

from node.config import Config
from node.counters import CounterBuffer
from node.jobs.ledger import JobLedger
from node.spool import Spool
from node.web.pictures import PictureShelf
from node.web.tally import Tally


@dataclass(frozen=True)
class Site:
    """The parts of the node that the web process works with."""

    config: Config
    database: Engine
    ledger: JobLedger
    spool: Spool
    pictures: PictureShelf
    counts: CounterBuffer = field(default_factory=CounterBuffer)
    tally: Tally = field(default_factory=Tally)


def site_of(request: HTTPConnection) -> Site:
    """The site that a request came to."""
    site = request.app.state.site
    if not isinstance(site, Site):
        raise TypeError(f"The application needs a Site in its state, got {type(site).__name__}.")
    return site
