"""From the decision about a series to its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.assembly import SeriesState
from node.config import Config, RouteSettings
from node.jobs import Job, JobLedger, JobRequest, JobState
from node.routing import Explanation, Outcome, StackFinding, sources_of
from pipelines import catalog


def state_after(explanation: Explanation) -> SeriesState:
    """The state of a series about which the rules were asked."""
    outcomes = {finding.outcome for finding in explanation.stacks}
    if Outcome.TAKEN in outcomes:
        return SeriesState.ROUTED
    return SeriesState.REFUSED if Outcome.REFUSED in outcomes else SeriesState.UNROUTED


def make_jobs(
    ledger: JobLedger,
    config: Config,
    explanation: Explanation,
    row: Any,
    evidence: Mapping[str, Any],
) -> list[Job]:
    """Make the jobs of a series; made once, however often this is called.

    Args:
        ledger: keeps the jobs.
        config: knows the routes.
        explanation: what the rules said.
        row: of the table `series`.
        evidence: why the series counts as complete.
    """
    routes = {route.name: route for route in config.routes}
    return [
        ledger.create(
            request_of(finding, routes[finding.taken_by.route], row, evidence),
            *first_state(finding),
        )[0]
        for finding in explanation.jobs
        if finding.taken_by is not None
    ]


def request_of(
    finding: StackFinding, route: RouteSettings, row: Any, evidence: Mapping[str, Any]
) -> JobRequest:
    """What is asked of the ledger for one stack."""
    return JobRequest(
        **model_of(route),
        **origin_of(row),
        route=route.name,
        sources=sources_of(finding),
        destinations=route.send_to,
        priority=route.priority,
        evidence=evidence,
    )


def first_state(finding: StackFinding) -> tuple[JobState, str]:
    """QUEUED, or REFUSED with the gate's sentence."""
    if finding.outcome == Outcome.TAKEN:
        return JobState.QUEUED, ""
    return JobState.REFUSED, finding.reason


def model_of(route: RouteSettings) -> dict[str, Any]:
    """The fields of a request that name the model and its parameters, defaults written out."""
    card = catalog.card(route.pipeline)
    return {
        "pipeline": route.pipeline,
        "model": f"{card.name}@{card.version}",
        "weights_sha256": card.weights.sha256,
        "parameters": card.parameters_from(route.parameters),
    }


def origin_of(row: Any) -> dict[str, Any]:
    """The fields of a request that name where the images came from."""
    return {
        "study_instance_uid": row.study_instance_uid,
        "source_series": [row.series_instance_uid],
        "source_ae": row.source_ae,
        "revision": row.revision,
    }
