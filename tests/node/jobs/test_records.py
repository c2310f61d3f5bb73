from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from node.jobs.records import Job, JobRequest, job_id
from node.jobs.states import JobState

UIDS = [f"1.2.3.{i}" for i in range(3)]
REQUEST = JobRequest(
    route="low-dose chest",
    pipeline="ldct_denoise",
    model="ldct_denoise@1.0.0",
    weights_sha256="ab" * 32,
    study_instance_uid="1.2.9",
    sources={"CT": UIDS},
    source_series=["1.2.8"],
    source_ae="ORTHANC",
    destinations=["source"],
    evidence={"kind": "count"},
)


def test_other_content_is_another_job() -> None:
    assert job_id(REQUEST, dict.fromkeys(UIDS, "a")) != job_id(REQUEST, dict.fromkeys(UIDS, "b"))


@given(st.permutations(UIDS))
def test_order_of_sources_does_not_count(order: list[str]) -> None:
    digests = {uid: uid for uid in UIDS}
    shuffled = replace(REQUEST, sources={"CT": order})
    assert job_id(shuffled, digests) == job_id(REQUEST, digests)


@given(
    st.sampled_from(
        ["route", "study_instance_uid", "source_ae", "destinations", "revision", "evidence"]
    )
)
def test_where_it_comes_from_and_goes_to_does_not_count(field: str) -> None:
    digests = dict.fromkeys(UIDS, "a")
    others = {"revision": 2, "evidence": {"kind": "quiet"}, "destinations": ["archive"]}
    other = replace(REQUEST, **{field: others.get(field, "other")})  # type: ignore[arg-type]
    assert job_id(other, digests) == job_id(REQUEST, digests)


def test_an_upgrade_makes_no_second_job_of_a_series() -> None:
    """Ids are compared with those that earlier versions wrote."""
    digests = {uid: f"{number:064x}" for number, uid in enumerate(UIDS)}
    for parameters in ({"strength": 0.5, "mask": True}, {"mask": True, "strength": 0.5}):
        assert (
            job_id(replace(REQUEST, parameters=parameters), digests)
            == "af4ac228456bb4e3fdf532e2161f6969"
        )


def test_json_is_what_the_row_says() -> None:
    began = datetime(2026, 3, 10, 12, 0, 5, tzinfo=UTC)
    job = Job(
        id="ab12",
        state=JobState.RUNNING,
        route="low-dose chest",
        pipeline="ldct_denoise",
        model="ldct_denoise@1.0.0",
        weights_sha256="ab" * 32,
        study_instance_uid="1.2.9",
        source_series=["1.2.8"],
        sources={"CT": UIDS},
        source_ae="CT1",
        revision=2,
        derived_series=["2.25.7"],
        destinations=["archive"],
        parameters={"strength": 0.5},
        priority=3,
        attempts=4,
        run=5,
        enqueued_run=5,
        accept_held=False,
        step="translate",
        progress=0.25,
        reason="Under way.",
        evidence={"kind": "quiet"},
        qc={"verdict": "GREEN"},
        timings={"receive": 1.5},
        created=began.replace(second=0),
        started=began,
        finished=None,
    )
    promised = {
        "id": "ab12",
        "state": "RUNNING",
        "route": "low-dose chest",
        "pipeline": "ldct_denoise",
        "model": "ldct_denoise@1.0.0",
        "study": "1.2.9",
        "source_series": ["1.2.8"],
        "derived_series": ["2.25.7"],
        "destinations": ["archive"],
        "revision": 2,
        "attempts": 4,
        "reason": "Under way.",
        "evidence": {"kind": "quiet"},
        "qc": {"verdict": "GREEN"},
        "step": "translate",
        "progress": 0.25,
        "timings": {"receive": 1.5},
        "created": "2026-03-10T12:00:00+00:00",
        "started": "2026-03-10T12:00:05+00:00",
        "finished": None,
    }
    assert json.loads(json.dumps(job.to_json())) == promised
    ended = replace(job, started=None, finished=began).to_json()
    assert (ended["started"], ended["finished"]) == (None, "2026-03-10T12:00:05+00:00")
    assert [replace(job, enqueued_run=run).has_begun for run in (4, 5)] == [False, True]
