"""The jobs that a series takes part in, with partners from the other series of its study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembling.assembly import EvidenceKind, SeriesState
from node.config import AssemblySettings
from node.database.tables import series
from node.routing.open_series import SeriesReader
from node.routing.pairing import Group, Member, group_stacks, partner_keys
from node.routing.rules import Explanation, Rule

READ = (SeriesState.COMPLETE, SeriesState.ROUTED, SeriesState.REFUSED)
"""States of series in which a partner may be."""

Wanted = frozenset[tuple[str, str]]
"""(route, input key) of what would be a partner."""


class StudyGroups:
    """Puts the stacks of a series together with those of other series of its study.

    Args:
        database: the node's tables.
        reader: reads headers.
        rules: the routes.
        settings: how long a study is waited for.
    """

    def __init__(
        self,
        database: Engine,
        reader: SeriesReader,
        rules: Sequence[Rule],
        settings: AssemblySettings,
    ) -> None:
        self.database = database
        self.settings = settings
        self._reader = reader
        self._rules = rules

    def groups_of(self, row: Any, explanation: Explanation) -> list[Group]:
        """The groups in which a stack of this series is.

        Args:
            row: of the table `series`.
            explanation: what the rules say of this series.
        """
        own = list(members_of(row, explanation))
        wanted = wanted_by(own)
        others = [member for other in self._others(row, wanted) for member in other]
        groups = group_stacks([*own, *others])
        return [group for group in groups if any(member in own for member in group.members)]

    def wait_until(
        self, row: Any, groups: Sequence[Group], evidence: Mapping[str, Any], now: datetime
    ) -> datetime | None:
        """When to look for partners again, None when no more are waited for.

        They are waited for until nothing of the study has come for `partner_s`, at most until the
        limit after the series was complete; not when a person said that all is here.
        """
        settings = self.settings
        completed = row.completed if row.state == SeriesState.COMPLETE else now
        limit = completed + timedelta(seconds=settings.limit_s)
        forced = evidence.get("kind") == EvidenceKind.FORCED
        if forced or now >= limit or not any(group.missing for group in groups):
            return None
        query = sa.select(series.c.state, series.c.last_received).where(
            series.c.study_instance_uid == row.study_instance_uid
        )
        with self.database.connect() as connection:
            rows = list(connection.execute(query))
        quiet = max(one.last_received for one in rows) + timedelta(seconds=settings.partner_s)
        if any(one.state == SeriesState.RECEIVING for one in rows):
            quiet = max(quiet, now + timedelta(seconds=settings.quiet_s))
        return min(quiet, limit) if now < quiet else None

    def _others(self, row: Any, wanted: Wanted) -> Iterator[list[Member]]:
        """The members of each other series that may be a partner."""
        if not wanted:
            return
        query = sa.select(series).where(
            series.c.study_instance_uid == row.study_instance_uid,
            series.c.series_instance_uid != row.series_instance_uid,
            series.c.state.in_(READ),
        )
        with self.database.connect() as connection:
            rows = list(connection.execute(query.order_by(series.c.first_received)))
        for other in rows:
            decided = other.state != SeriesState.COMPLETE
            if decided and not is_wanted(other.decision, wanted):
                continue
            yield self._members(other, keep=not decided)

    def _members(self, other: Any, *, keep: bool) -> list[Member]:
        opened = self._reader.read(other)
        while opened is None:
            opened = self._reader.read(other)
        found = list(members_of(other, opened.explanation(self._rules, other.source_ae)))
        if not keep:
            self._reader.forget(other.series_instance_uid)
        return found


def members_of(row: Any, explanation: Explanation) -> Iterator[Member]:
    """The stacks of a series that may be inputs of jobs, or say why such an input is missing."""
    for finding in explanation.asked_for:
        yield Member(row.series_instance_uid, finding, row.revision)


def wanted_by(members: Sequence[Member]) -> Wanted:
    """What could be a partner of these stacks."""
    return frozenset(
        (member.route, key)
        for member in members
        if member.usable
        for key in partner_keys(member.pipeline, member.key)
    )


def is_wanted(decision: Any, wanted: Wanted) -> bool:
    """Whether a series that is decided has a stack that may be a partner."""
    stacks = decision.get("stacks", ()) if isinstance(decision, dict) else ()
    return any((stack.get("route"), stack.get("input")) in wanted for stack in stacks)
