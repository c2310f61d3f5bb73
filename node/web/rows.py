"""Studies, series, jobs and deliveries as the pages and the JSON show them.

Every query here is bounded by a page of studies and a part of their series, so that ten thousand
series cost no more than ten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from node.database.tables import conflicts, deliveries, instances, jobs, series
from node.jobs.records import Job
from node.jobs.states import UNDER_WAY
from node.web.attributes import SeriesHeading, StudyHeading, series_heading, study_heading
from node.web.search import NEEDS_A_PERSON, Search
from node.web.steps import JobProgress, Step, strip
from node.web.words import Wording, job_wording, series_wording


@dataclass(frozen=True)
class JobView:
    """A job in the lists; the job page reads more."""

    id: str
    state: str
    route: str
    pipeline: str
    model: str
    source_series: tuple[str, ...]
    revision: int
    step: str
    progress: float
    reason: str
    attempts: int
    timings: dict[str, float]
    created: datetime
    started: datetime | None
    finished: datetime | None
    verdict: str  # of the quality record; empty before there is one


def progress_of(job: JobView | Job) -> JobProgress:
    """What the strip of steps needs of a job."""
    ended = job.finished is not None
    return JobProgress(str(job.state), job.step, job.progress, job.timings, ended)


@dataclass(frozen=True)
class SeriesView:
    """A series with its jobs, newest first."""

    series_instance_uid: str
    study_instance_uid: str
    state: str
    revision: int
    instance_count: int
    source_ae: str
    first_received: datetime
    last_received: datetime
    completed: datetime | None
    force_complete: bool
    evidence: Any
    decision: Any
    reason: str
    heading: SeriesHeading
    jobs: tuple[JobView, ...] = ()
    conflict_count: int = 0

    @property
    def present_jobs(self) -> tuple[JobView, ...]:
        """Those of the present revision; every view of a mammogram has one of its own."""
        return tuple(job for job in self.jobs if job.revision >= self.revision)

    @property
    def job(self) -> JobView | None:
        """Of the present jobs the one to look at: it needs a person, is not at its end, is new."""
        return min(self.present_jobs, key=lambda job: _URGENCY.get(job.state, 2), default=None)

    @property
    def others_for_a_person(self) -> tuple[JobView, ...]:
        """What needs a person beside `job`; late images do not settle what failed before them."""
        return tuple(
            job for job in self.jobs if job.state in NEEDS_A_PERSON and job is not self.job
        )

    @property
    def wording(self) -> Wording:
        """How its state is shown."""
        return job_wording(self.job.state) if self.job else series_wording(self.state)

    @property
    def strip(self) -> tuple[Step, ...]:
        """Where it is now."""
        return strip(self.state, progress_of(self.job) if self.job else None)


@dataclass(frozen=True)
class StudyView:
    """A study with the asked part of its series, in the order in which they arrived."""

    study_instance_uid: str
    heading: StudyHeading
    last_received: datetime
    series: tuple[SeriesView, ...]
    series_count: int


@dataclass(frozen=True)
class Part:
    """Which series of a study are read: so many, the newest ones left out.

    Attributes:
        most: None for all.
        skip: of the newest.
    """

    most: int | None = None
    skip: int = 0


ALL = Part()
Count = Callable[[Connection, Search], int]
SERIES_A_STUDY = 4
"""So many series are read for each study that is wanted, at first."""


@dataclass(frozen=True)
class StudiesPage:
    """One page of studies, and how many there are."""

    studies: tuple[StudyView, ...]
    total: int


@dataclass
class DeliveryView:
    """How the derived instances of a job fared at one destination."""

    destination: str
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    codes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    updated: datetime | None = None

    @property
    def total(self) -> int:
        """Instances that were tried."""
        return sum(self.counts.values())


_URGENCY: dict[str, int] = {
    **dict.fromkeys(UNDER_WAY, 1),
    **dict.fromkeys(NEEDS_A_PERSON, 0),
}
_VERDICT = sa.func.coalesce(jobs.c.qc["verdict"].as_string(), "").label("verdict")
_JOB_COLUMNS = tuple(
    _VERDICT if name == "verdict" else jobs.c[name] for name in JobView.__dataclass_fields__
)


_SERIES_COLUMNS = tuple(
    series.c[name]
    for name in (
        *("series_instance_uid", "study_instance_uid", "state", "revision", "instance_count"),
        *("source_ae", "first_received", "last_received", "completed", "force_complete"),
        *("evidence", "decision", "reason"),
    )
)


def studies_page(
    connection: Connection,
    search: Search,
    limit: int,
    offset: int,
    part: Part = ALL,
    count: Count | None = None,
) -> StudiesPage:
    """A page of studies, the one that received something last first.

    Args:
        connection: to the node's database.
        search: which are wanted.
        limit: studies on the page.
        offset: studies before it.
        part: of the series of each.
        count: tells how many there are; counted now when left out.
    """
    uids = _newest_studies(connection, search, offset + limit)[offset:]
    total = (count or count_studies)(connection, search)
    return StudiesPage(tuple(_studies(connection, uids, part)), total)


def count_studies(connection: Connection, search: Search) -> int:
    """How many studies a search finds."""
    uid = series.c.study_instance_uid
    found = sa.select(uid).where(*search.conditions(uid)).group_by(uid).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0


def _newest_studies(connection: Connection, search: Search, most: int) -> list[str]:
    """The first of the studies that a search finds, in the order in which they were heard of last.

    The newest series are read until they are of so many studies, not all that are remembered.
    """
    uid = series.c.study_instance_uid
    newest = (
        sa.select(uid).where(*search.conditions(uid)).order_by(series.c.last_received.desc(), uid)
    )
    read = SERIES_A_STUDY * most
    while True:
        uids = list(connection.scalars(newest.limit(read)))
        studies = list(dict.fromkeys(uids))
        if len(studies) >= most or len(uids) < read:
            return studies[:most]
        read *= SERIES_A_STUDY


def study(connection: Connection, study_instance_uid: str, part: Part = ALL) -> StudyView | None:
    """One study, if it is here and has so many series."""
    return next(iter(_studies(connection, [study_instance_uid], part)), None)


def one_series(connection: Connection, series_instance_uid: str) -> SeriesView | None:
    """One series, if it is here."""
    query = sa.select(*_SERIES_COLUMNS).where(series.c.series_instance_uid == series_instance_uid)
    rows = list(connection.execute(query))
    attributes = _attributes(connection, [row.series_instance_uid for row in rows])
    return next(iter(_series_views(connection, rows, attributes)), None)


def job_deliveries(connection: Connection, job_id: str) -> list[DeliveryView]:
    """What became of a job's instances, by destination."""
    count = sa.func.count().label("count")
    columns = (deliveries.c.destination, deliveries.c.status, deliveries.c.status_code)
    query = (
        sa.select(*columns, count, sa.func.max(deliveries.c.updated).label("updated"))
        .where(deliveries.c.job_id == job_id)
        .group_by(*columns)
    )
    views: dict[str, DeliveryView] = {}
    for row in connection.execute(query):
        view = views.setdefault(row.destination, DeliveryView(row.destination))
        view.counts[row.status] += row[3]
        if row.status_code is not None:
            view.codes[row.status_code] += row[3]
        view.updated = max(filter(None, (view.updated, row.updated)))
    return [views[name] for name in sorted(views)]


def counts_by_state(connection: Connection, table: sa.Table) -> dict[str, int]:
    """How many rows of `jobs` or `series` are in which state."""
    query = sa.select(table.c.state, sa.func.count()).group_by(table.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _studies(connection: Connection, uids: Sequence[str], part: Part) -> Iterable[StudyView]:
    """The studies of these UIDs, in this order."""
    by_study = defaultdict(list)
    for row in _newest_series(connection, uids, part):
        by_study[row.study_instance_uid].append(row)
    rows = [row for of_study in by_study.values() for row in of_study]
    attributes = _attributes(connection, [row.series_instance_uid for row in rows])
    views = _series_views(connection, rows, attributes)
    for uid in uids:
        if not by_study[uid]:
            continue
        found = tuple(view for view in views if view.study_instance_uid == uid)
        heading = study_heading(attributes.get(found[0].series_instance_uid, {}))
        latest = max(view.last_received for view in found)
        yield StudyView(uid, heading, latest, found, by_study[uid][0].among)


def _newest_series(connection: Connection, uids: Sequence[str], part: Part) -> list[Any]:
    """A part of the series of each study, in the order in which they arrived."""
    study_uid, uid = series.c.study_instance_uid, series.c.series_instance_uid
    newest = sa.func.row_number().over(
        partition_by=study_uid, order_by=(series.c.first_received.desc(), uid)
    )
    among = sa.func.count().over(partition_by=study_uid)
    ranked = (
        sa.select(uid.label("ranked_uid"), newest.label("place"), among.label("among"))
        .where(study_uid.in_(uids))
        .subquery()
    )
    query = sa.select(*_SERIES_COLUMNS, ranked.c.among).join(ranked, ranked.c.ranked_uid == uid)
    if part.most is not None:
        query = query.where(ranked.c.place > part.skip, ranked.c.place <= part.skip + part.most)
    return list(connection.execute(query.order_by(series.c.first_received)))


def _series_views(
    connection: Connection, rows: Sequence[Any], attributes: dict[str, Any]
) -> list[SeriesView]:
    uids = [row.series_instance_uid for row in rows]
    found_jobs = _jobs_by_series(connection, list({row.study_instance_uid for row in rows}))
    found_conflicts = _conflicts(connection, uids)
    return [_series_view(row, attributes, found_jobs, found_conflicts) for row in rows]


def _series_view(
    row: Any,
    attributes: dict[str, Any],
    found_jobs: dict[str, list[JobView]],
    found_conflicts: dict[str, int],
) -> SeriesView:
    uid = row.series_instance_uid
    return SeriesView(
        **{column.name: row._mapping[column.name] for column in _SERIES_COLUMNS},
        heading=series_heading(attributes.get(uid, {})),
        jobs=tuple(found_jobs.get(uid, ())),
        conflict_count=found_conflicts.get(uid, 0),
    )


def _attributes(connection: Connection, uids: Sequence[str]) -> dict[str, Any]:
    """DICOM JSON of one instance of each series."""
    first = (
        sa.select(sa.func.min(instances.c.sop_instance_uid))
        .where(instances.c.series_instance_uid.in_(uids))
        .group_by(instances.c.series_instance_uid)
    )
    query = sa.select(instances.c.series_instance_uid, instances.c.attributes).where(
        instances.c.sop_instance_uid.in_(first)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _jobs_by_series(connection: Connection, study_uids: Sequence[str]) -> dict[str, list[JobView]]:
    query = sa.select(*_JOB_COLUMNS).where(jobs.c.study_instance_uid.in_(study_uids))
    found: dict[str, list[JobView]] = defaultdict(list)
    for row in connection.execute(query.order_by(jobs.c.created.desc())):
        facts = dict(row._mapping)
        facts["source_series"] = tuple(facts["source_series"])
        view = JobView(**facts)
        for uid in view.source_series:
            found[uid].append(view)
    return found


def _conflicts(connection: Connection, uids: Sequence[str]) -> dict[str, int]:
    query = (
        sa.select(conflicts.c.series_instance_uid, sa.func.count())
        .where(conflicts.c.series_instance_uid.in_(uids))
        .group_by(conflicts.c.series_instance_uid)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
