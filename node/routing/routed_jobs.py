"""From the decision about a series to its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.assembling.assembly import SeriesState
from node.config import Config, RouteSettings
from node.jobs.ledger import Job, JobLedger, JobRequest, JobState
from node.routing.pairing import Group
from node.routing.rules import Explanation, StackFinding
from pipelines import catalog


def state_after(explanation: Explanation, groups: Sequence[Group]) -> SeriesState:
    """The state of a series about which the rules were asked."""
    if any(group.verdict.accepted for group in groups):
        return SeriesState.ROUTED
    return SeriesState.REFUSED if groups or explanation.refused else SeriesState.UNROUTED


def reason_after(explanation: Explanation, groups: Sequence[Group]) -> str:
    """The decision in a few sentences: of the stacks, then how inputs were put together."""
    said = [explanation.reason]
    for group in groups:
        said += [group.sentence] if group.verdict.accepted else [group.verdict.reason]
    return " ".join(dict.fromkeys(sentence for sentence in said if sentence))


def decision_json(explanation: Explanation, groups: Sequence[Group]) -> dict[str, Any]:
    """The decision as plain JSON values."""
    return {
        **explanation.to_json(),
        "reason": reason_after(explanation, groups),
        "groups": [group.to_json() for group in groups],
    }


def make_jobs(
    ledger: JobLedger,
    config: Config,
    decided: tuple[Explanation, Sequence[Group]],
    row: Any,
    evidence: Mapping[str, Any],
) -> list[Job]:
    """Make the jobs of a series; made once, however often this is called.

    Args:
        ledger: keeps the jobs.
        config: knows the routes.
        decided: what the rules said, and the groups of inputs.
        row: of the table `series`.
        evidence: why the series counts as complete.
    """
    explanation, groups = decided
    routes = {route.name: route for route in config.routes}
    made = []
    for group in groups:
        route = routes[group.members[0].route]
        request = request_of_group(group, route, row, evidence)
        made.append(ledger.create(request, *first_state(group))[0])
    accepted = any(group.verdict.accepted for group in groups)
    for finding in explanation.refused if not accepted else _projections(explanation):
        assert finding.taken_by is not None
        request = request_of_refused(finding, routes[finding.taken_by.route], row, evidence)
        made.append(ledger.create(request, JobState.REFUSED, finding.reason)[0])
    return made


def _projections(explanation: Explanation) -> Iterator[StackFinding]:
    return (finding for finding in explanation.refused if finding.stack.is_projection)


def request_of_group(
    group: Group, route: RouteSettings, row: Any, evidence: Mapping[str, Any]
) -> JobRequest:
    """What is asked of the ledger for one group of inputs."""
    origin = {
        "study_instance_uid": row.study_instance_uid,
        "source_series": group.series,
        "source_ae": row.source_ae,
        "revision": max(member.revision for member in group.members),
    }
    return JobRequest(
        **model_of(route),
        **origin,
        route=route.name,
        sources=group.sources,
        destinations=route.send_to,
        priority=route.priority,
        evidence=with_inputs(evidence, group),
    )


def request_of_refused(
    finding: StackFinding, route: RouteSettings, row: Any, evidence: Mapping[str, Any]
) -> JobRequest:
    """What is asked of the ledger for a stack that the gate refuses."""
    uids = sorted(str(header.SOPInstanceUID) for header in finding.stack.headers)
    return JobRequest(
        **model_of(route),
        study_instance_uid=row.study_instance_uid,
        source_series=[row.series_instance_uid],
        source_ae=row.source_ae,
        revision=row.revision,
        route=route.name,
        sources={finding.input_key or "unknown": uids},
        destinations=route.send_to,
        priority=route.priority,
        evidence=evidence,
    )


def with_inputs(evidence: Mapping[str, Any], group: Group) -> dict[str, Any]:
    """The evidence of a series, with how the inputs of a job were found where it takes several."""
    if not group.sentence:
        return dict(evidence)
    return {**evidence, "inputs": group.to_json()}


def first_state(group: Group) -> tuple[JobState, str]:
    """QUEUED; REFUSED with the gate's sentence; HELD with what a person has to decide."""
    if not group.verdict.accepted:
        return JobState.REFUSED, group.verdict.reason
    return (JobState.HELD, group.held) if group.held else (JobState.QUEUED, "")


def model_of(route: RouteSettings) -> dict[str, Any]:
    """The fields of a request that name the model and its parameters, defaults written out."""
    card = catalog.card(route.pipeline)
    return {
        "pipeline": route.pipeline,
        "model": card.label,
        "weights_sha256": card.weights.sha256,
        "parameters": card.parameters_from(route.parameters),
    }
