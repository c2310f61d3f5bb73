"""Pairing: which stacks of one study are the inputs of one job.

A pipeline accepts one or more sets of inputs, the preferred first (its model card): in-phase with
opposed-phase, else in-phase alone. Stacks belong together when they lie on one grid in one frame of
reference and were acquired within one breath-hold. What a stack lacks for the preferred set is
said, so that the node can wait for it and, when nothing comes, says what was used instead.

Everything here is pure: findings about stacks in, groups out, in the same order for the same input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicom_profiles.errors import ProfileError
from dicom_profiles.sources.geometry import same_grid
from dicom_profiles.sources.series import numbers
from dicom_profiles.sources.source import Source
from node.assembling.acquired import acquired_at, seconds_between
from node.routing.rules import Outcome, StackFinding
from pipelines import catalog, gates
from pipelines.contract import GateVerdict

BREATH_HOLD_S = 30.0
"""Largest difference of the acquisition times of inputs that show one and the same breath-hold."""
UNKNOWN_TIME = float("inf")


@dataclass(frozen=True, eq=False)
class Member:
    """A stack that a route takes, or asks for and refuses.

    Attributes:
        series_instance_uid: of its series.
        finding: the decision about it.
        revision: of its series.
    """

    series_instance_uid: str
    finding: StackFinding
    revision: int = 1

    @property
    def usable(self) -> bool:
        """Whether it may be an input of a job: taken, or held for a person; not refused."""
        return self.finding.outcome in (Outcome.TAKEN, Outcome.HELD)

    @property
    def key(self) -> str:
        """Which input of the pipeline it is."""
        return self.finding.input_key

    @property
    def source(self) -> Source:
        """The stack, proven to be one grid or one projection."""
        assert self.finding.source is not None
        return self.finding.source

    @property
    def route(self) -> str:
        """The route that takes it."""
        assert self.finding.taken_by is not None
        return self.finding.taken_by.route

    @property
    def pipeline(self) -> str:
        """The pipeline of that route."""
        assert self.finding.taken_by is not None
        return self.finding.taken_by.pipeline


@dataclass(frozen=True, eq=False)
class Group:
    """The inputs of one job.

    Attributes:
        members: one a key, in the order of the set that they fill; the first gives the grid.
        missing: keys that the pipeline would rather have had besides.
        remarks: how the members were proven to belong together, or why another does not.
        verdict: the gate's, about all of them.
    """

    members: tuple[Member, ...]
    missing: tuple[str, ...]
    remarks: tuple[str, ...]
    verdict: GateVerdict

    @property
    def sources(self) -> dict[str, list[str]]:
        """SOP Instance UIDs by input key, sorted so that a repeat is the same job."""
        return {
            member.key: sorted(str(h.SOPInstanceUID) for h in member.finding.stack.headers)
            for member in self.members
        }

    @property
    def series(self) -> list[str]:
        """Series Instance UIDs, each once, the one that gives the grid first."""
        return list(dict.fromkeys(member.series_instance_uid for member in self.members))

    @property
    def held(self) -> str:
        """Why a person has to decide, "" when nobody has to."""
        doubts = [m.finding.reason for m in self.members if m.finding.outcome == Outcome.HELD]
        return doubts[0] if doubts else ""

    @property
    def sentence(self) -> str:
        """How the inputs were found, "" where a stack needs no other."""
        keys = " + ".join(member.key for member in self.members)
        missing = ", ".join(self.missing)
        if self.missing and self.verdict.accepted:
            said = [f"No {missing} that fits came with it; {keys} alone is translated."]
        elif self.missing:
            said = [f"No {missing} that fits came with it."]
        else:
            said = []
        return " ".join((*said, *self.remarks))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "route": self.members[0].route,
            "pipeline": self.members[0].pipeline,
            "inputs": {
                member.key: {
                    "series": member.series_instance_uid,
                    "instances": len(member.source),
                    "label": member.finding.stack.label,
                }
                for member in self.members
            },
            "missing": list(self.missing),
            "sentence": self.sentence,
            "accepted": self.verdict.accepted,
        }


def group_stacks(members: Sequence[Member]) -> list[Group]:
    """Put the stacks of one study together to jobs.

    Every usable member is in exactly one group; the others only say why a partner is missing.
    """
    groups: list[Group] = []
    for route in dict.fromkeys(member.route for member in members):
        of_route = sorted((m for m in members if m.route == route), key=_order)
        groups += _groups_of_route(of_route)
    return groups


def partner_keys(pipeline: str, key: str) -> frozenset[str]:
    """Keys of inputs that may be translated together with an input of this key."""
    sets = catalog.card(pipeline).accepted_sets
    return frozenset(other for keys in sets if key in keys for other in keys) - {key}


def _order(member: Member) -> tuple[float, str, str]:
    """Earliest first; ties by UID, so that the order is always the same."""
    acquired = acquired_at(member.finding.stack.headers)
    first = min(str(header.SOPInstanceUID) for header in member.finding.stack.headers)
    return (
        UNKNOWN_TIME if acquired is None else acquired.seconds,
        member.series_instance_uid,
        first,
    )


def _groups_of_route(members: list[Member]) -> list[Group]:
    groups, left = [], [member for member in members if member.usable]
    for keys in catalog.card(members[0].pipeline).accepted_sets:
        for first in [member for member in left if member.key == keys[0]]:
            found = _filled(first, keys[1:], left)
            if found is None:
                continue
            partners, remarks = found
            chosen = (first, *partners)
            left = [member for member in left if member not in chosen]
            groups.append(_group(chosen, remarks, members))
    return groups + [_group((member,), (), members) for member in left]


def _filled(
    first: Member, keys: Sequence[str], left: Sequence[Member]
) -> tuple[tuple[Member, ...], tuple[str, ...]] | None:
    """The partners that fill the other keys of a set, None when one is missing."""
    partners, remarks = [], []
    for key in keys:
        fitting = [m for m in left if m.key == key and not reasons_against(first, m)]
        if not fitting:
            return None
        chosen = min(fitting, key=lambda other: _distance(first, other))
        partners.append(chosen)
        remarks.append(_proof(first, chosen))
    return tuple(partners), tuple(remarks)


def _distance(first: Member, other: Member) -> tuple[float, float, float]:
    """How far a partner is: seconds, then ms between the echoes; of two as far the earlier echo.

    A breath-hold may have more than two echoes, and each later one has lost more signal to T2*.
    """
    echo_ms = _echo_ms(other)
    between = round(abs(echo_ms - _echo_ms(first)), 1)
    return round(_apart(first, other) or 0.0), between, echo_ms


def _echo_ms(member: Member) -> float:
    """Echo Time (0018,0081), 0 where there is none."""
    try:
        return float(numbers(member.source.headers[0], "EchoTime", 1)[0])
    except ProfileError:
        return 0.0


def reasons_against(first: Member, other: Member) -> list[str]:
    """What speaks against two stacks being inputs of one job, one sentence each."""
    reasons = same_grid(first.source, other.source)
    if _patients(first) != _patients(other):
        reasons.insert(0, "They are of different patients (Patient ID).")
    apart = _apart(first, other)
    if apart is not None and apart > BREATH_HOLD_S:
        reasons.append(
            f"They were acquired {apart:.0f} s apart, more than one breath-hold "
            f"({BREATH_HOLD_S:g} s)."
        )
    return reasons


def _patients(member: Member) -> set[str]:
    return {str(header.get("PatientID", "")).strip() for header in member.source.headers}


def _apart(first: Member, other: Member) -> float | None:
    """Seconds between the acquisitions, None when one is not known."""
    times = [acquired_at(member.finding.stack.headers) for member in (first, other)]
    return None if times[0] is None or times[1] is None else seconds_between(times[0], times[1])


def _proof(first: Member, other: Member) -> str:
    apart = _apart(first, other)
    when = "at times that are not given" if apart is None else f"{apart:.1f} s apart"
    where = "one series" if first.series_instance_uid == other.series_instance_uid else "two series"
    return (
        f"{first.key} and {other.key} of {where} lie on one grid "
        f"({len(first.source)} slices) and were acquired {when}."
    )


def _group(
    chosen: tuple[Member, ...], remarks: tuple[str, ...], members: Sequence[Member]
) -> Group:
    card = catalog.card(chosen[0].pipeline)
    keys = {member.key for member in chosen}
    preferred = next((s for s in card.accepted_sets if chosen[0].key in s), tuple(keys))
    missing = tuple(key for key in preferred if key not in keys)
    unfit = tuple(
        _why_not(chosen[0], other)
        for other in members
        if other.key in missing and other not in chosen
    )
    return Group(chosen, missing, (*remarks, *unfit), _verdict(chosen, unfit))


def _why_not(first: Member, other: Member) -> str:
    """Why a stack that is here is no partner; where it would fit, a nearer one has it."""
    if not other.usable:
        return f"The {other.key} of this study cannot be used. {other.finding.reason}"
    reasons = reasons_against(first, other)
    if reasons:
        return f"The {other.key} of this study does not fit. {reasons[0]}"
    return f"The {other.key} of this study goes with another {first.key}."


def _verdict(chosen: tuple[Member, ...], unfit: Sequence[str]) -> GateVerdict:
    """The gate's, about all inputs of a job together."""
    card = catalog.card(chosen[0].pipeline)
    keys = {member.key for member in chosen}
    if not any(keys == set(accepted) for accepted in card.accepted_sets):
        sets = ", or ".join(" + ".join(accepted) for accepted in card.accepted_sets)
        only = f"only {' + '.join(sorted(keys))} {'can be used' if unfit else 'is here'}"
        reason = f"{card.name} takes {sets}; of these {only}."
        return GateVerdict.from_reasons((" ".join((reason, *unfit)),))
    if len(chosen) == 1 and chosen[0].finding.gate is not None:
        return chosen[0].finding.gate
    return gates.gate(card.name, {member.key: member.source for member in chosen})
