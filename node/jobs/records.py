"""What a job is: the request that makes it, its row, and its id.

A job's id is derived from its inputs, so that the same series sent twice is one job.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from node.jobs.states import JobState

JSON = Any
"""What the `json` module can write."""

PRIORITIES = {"high": 1, "normal": 2, "low": 3}
"""Words of the configuration to the number of the queue: the smaller goes first."""


@dataclass(frozen=True)
class JobRequest:
    """What assembly and routing ask for.

    Attributes:
        model: name@version of the model card.
        weights_sha256: digest of the weights, as the card pins it.
        sources: input key of the pipeline to SOP Instance UIDs.
        source_series: Series Instance UIDs, for people.
        source_ae: AE title of the peer that sent the first of them.
        revision: of the series: raised by late images.
        destinations: names of peers; 'source' is the peer that calls itself `source_ae`.
        parameters: of the pipeline.
        priority: one of `PRIORITIES`.
        evidence: why the series counts as complete.
    """

    route: str
    pipeline: str
    model: str
    weights_sha256: str
    study_instance_uid: str
    sources: Mapping[str, Sequence[str]]
    source_series: Sequence[str]
    source_ae: str
    destinations: Sequence[str]
    revision: int = 1
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    priority: str = "normal"
    evidence: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One row of the table `jobs`; see `node.database.tables` for the meaning of each column."""

    id: str
    state: JobState
    route: str
    pipeline: str
    model: str
    weights_sha256: str
    study_instance_uid: str
    source_series: list[str]
    sources: dict[str, list[str]]
    source_ae: str
    revision: int
    derived_series: list[str]
    destinations: list[str]
    parameters: dict[str, JSON]
    priority: int
    attempts: int
    run: int
    enqueued_run: int
    accept_held: bool
    step: str
    progress: float
    reason: str
    evidence: dict[str, JSON]
    qc: dict[str, JSON]
    timings: dict[str, float]
    created: datetime
    started: datetime | None
    finished: datetime | None

    @property
    def has_begun(self) -> bool:
        """Whether a workflow has the present run."""
        return self.enqueued_run >= self.run

    def to_json(self) -> dict[str, JSON]:
        """The JSON that other programs may rely on; times are ISO 8601 in UTC."""
        return {
            "id": self.id,
            "state": str(self.state),
            "route": self.route,
            "pipeline": self.pipeline,
            "model": self.model,
            "study": self.study_instance_uid,
            "source_series": self.source_series,
            "derived_series": self.derived_series,
            "destinations": self.destinations,
            "revision": self.revision,
            "attempts": self.attempts,
            "reason": self.reason,
            "evidence": self.evidence,
            "qc": self.qc,
            "step": self.step,
            "progress": self.progress,
            "timings": self.timings,
            "created": self.created.isoformat(),
            "started": self.started.isoformat() if self.started else None,
            "finished": self.finished.isoformat() if self.finished else None,
        }


def job_id(request: JobRequest, digests: Mapping[str, str]) -> str:
    """The id of the job: the same for the same inputs, model and parameters, however often sent.

    Args:
        request: what is asked for; route, destinations and evidence do not count.
        digests: SOP Instance UID to the SHA-256 of its data set.

    Returns:
        32 hexadecimal characters.
    """
    identity = {
        "sources": {k: sorted([u, digests[u]] for u in v) for k, v in request.sources.items()},
        "pipeline": request.pipeline,
        "model": request.model,
        "weights": request.weights_sha256,
        "parameters": request.parameters,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
