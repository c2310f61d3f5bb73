"""What a person looks for: a filter, a job or UID, a route, a state. Never a patient.

What is looked for stands in the page's address, which browsers and proxies remember. So the field
takes only what cannot be a patient's name or number: a piece of a UID with a dot in it, or the
beginning of a job's id with a letter in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from node.database.tables import instances, jobs, series
from node.jobs.states import UNDER_WAY, JobState
from node.web.parameters import choice, choice_of

FILTERS = ("all", "working", "attention", "refused", "done")
IDENTIFIER = r"(?=.*[a-fA-F.])[0-9a-fA-F.]{6,64}"
"""What the field takes, for us and for the browser."""

NEEDS_A_PERSON = frozenset({JobState.HELD, JobState.FAILED})

_ENDED = jobs.c.finished.is_not(None)
JOBS_SHOWN = {
    "working": sa.and_(jobs.c.state.in_(UNDER_WAY), ~_ENDED),
    "attention": jobs.c.state.in_(NEEDS_A_PERSON),
    "refused": jobs.c.state == JobState.REFUSED,
    # A destination that cannot confirm leaves its jobs sent.
    "done": sa.or_(
        jobs.c.state == JobState.COMMITTED, sa.and_(jobs.c.state == JobState.SENT, _ENDED)
    ),
}
"""The filters of the overview, by the jobs that they mean."""

SERIES_STATES_SHOWN = {
    "working": ("RECEIVING", "COMPLETE"),
    "attention": (),
    "refused": ("UNROUTED", "REFUSED"),
    "done": (),
}
"""The same filters, by the states of series."""


@dataclass(frozen=True)
class Search:
    """Which studies are wanted: those for which all of it holds.

    Attributes:
        show: a filter, "all" for none.
        find: a piece of the UID of a study, series or new series, a whole SOP Instance UID, or the
            beginning of a job's id; "" for any.
        route: a job's route; "" for any.
        state: a job's state; "" for any.
    """

    show: str = "all"
    find: str = ""
    route: str = ""
    state: str = ""

    def address(self, **changes: Any) -> str:
        """The overview's address with this search, and these changes."""
        asked = {**self.__dict__, **changes}
        given = {key: value for key, value in asked.items() if value and (key, value) != _NO_FILTER}
        return f"/?{urlencode(given)}" if given else "/"

    @property
    def is_narrow(self) -> bool:
        """Whether more than a filter is asked for."""
        return bool(self.find or self.route or self.state)

    def conditions(self, study: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        """What must hold for the study of that column."""
        found: list[sa.ColumnElement[bool]] = []
        if self.show in JOBS_SHOWN:
            found.append(study.in_(_studies_in(self.show)))
        if self.find:
            found.append(study.in_(_studies_with(self.find)))
        if self.route or self.state:
            wanted = [jobs.c.route == self.route] if self.route else []
            wanted += [jobs.c.state == self.state] if self.state else []
            found.append(study.in_(sa.select(jobs.c.study_instance_uid).where(*wanted)))
        return found


_NO_FILTER = ("show", "all")


def search_of(request: Request) -> Search:
    """What the query parameters ask for; 400 with a sentence where they make no sense."""
    find = request.query_params.get("find", "").strip()
    if find and not re.fullmatch(IDENTIFIER, find):
        raise HTTPException(
            400,
            "find needs a piece of a UID with a dot in it, or the beginning of a job's id (6 "
            "characters or more, with a letter); nothing about a patient, since it stands in the "
            "address.",
        )
    state = request.query_params.get("state", "").upper()
    return Search(
        show=choice(request, "show", FILTERS),
        find=find.lower(),
        route=request.query_params.get("route", "").strip(),
        state=choice_of(state, "state", tuple(JobState)) if state else "",
    )


def known_routes(connection: Connection, configured: list[str]) -> list[str]:
    """The routes that can be looked for: those of the configuration, then those of older jobs."""
    used: list[str] = []
    after = sa.select(sa.func.min(jobs.c.route)).where(jobs.c.route > sa.bindparam("last"))
    # One by one from the index: jobs of ten years have few routes.
    while route := connection.scalar(after, {"last": used[-1] if used else ""}):
        used.append(route)
    return [*configured, *sorted(set(used) - set(configured))]


def _studies_in(show: str) -> sa.CompoundSelect[Any]:
    of_jobs = sa.select(jobs.c.study_instance_uid).where(JOBS_SHOWN[show])
    of_series = sa.select(series.c.study_instance_uid).where(
        series.c.state.in_(SERIES_STATES_SHOWN[show])
    )
    return sa.union(of_jobs, of_series)


def _studies_with(find: str) -> sa.CompoundSelect[Any]:
    """The pattern of `find` has none of LIKE's own characters in it."""
    piece = f"%{find}%"
    made = sa.cast(jobs.c.derived_series, sa.Text)
    return sa.union(
        sa.select(jobs.c.study_instance_uid).where(
            sa.or_(jobs.c.id.like(f"{find}%"), made.like(piece))
        ),
        sa.select(series.c.study_instance_uid).where(
            sa.or_(
                series.c.series_instance_uid.like(piece), series.c.study_instance_uid.like(piece)
            )
        ),
        sa.select(instances.c.study_instance_uid).where(instances.c.sop_instance_uid == find),
    )
