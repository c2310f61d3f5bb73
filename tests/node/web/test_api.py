"""The JSON of studies, series and jobs, and what people may do by it."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

from tests.node.web.conftest import MakeJob, SendSeries, refusal
from tests.node.web.world import World

CONTRACT = {
    *("id", "state", "route", "pipeline", "model", "source_series", "derived_series"),
    *("attempts", "reason", "evidence", "qc", "created", "finished"),
}


def test_jobs_have_the_fields_of_the_contract(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    made = make_job()
    world.finish(made)
    (job,) = client.get("/api/jobs").json()
    assert set(job) >= CONTRACT
    assert job["source_series"] == made.source_series
    assert len(job["derived_series"]) == 1
    assert job["state"] == "COMMITTED"
    assert datetime.fromisoformat(job["finished"]).tzinfo
    (delivery,) = client.get(f"/api/jobs/{job['id']}").json()["deliveries"]
    assert (delivery["destination"], delivery["instances"]) == ("pacs", {"COMMITTED": 5})


def test_jobs_are_filtered_and_paged(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uids = [send_series() for _ in range(3)]
    world.assemble()
    world.start(world.job_of(uids[0]))
    queued = client.get("/api/jobs", params={"state": "queued"})
    assert len(queued.json()) == 2
    assert queued.headers["x-total-count"] == "2"
    page = client.get("/api/jobs", params={"limit": 1, "offset": 1})
    assert len(page.json()) == 1
    assert page.headers["x-total-count"] == "3"
    assert client.get("/api/jobs", params={"state": "RUNNING"}).json()[0]["source_series"] == [
        uids[0]
    ]


@pytest.mark.parametrize(
    "query",
    [
        *("state=LOST", "limit=-1", "limit=x", "limit=%C2%B2", f"limit={'9' * 30}"),
        *("offset=1.5", "offset=1000000000"),
    ],
)
def test_a_wrong_query_is_a_400_with_a_sentence(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/jobs?{query}")
    assert answer.status_code == 400
    assert "needs" in refusal(answer)


def test_a_series_says_everything_that_was_decided(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid = send_series(series_description="PORTAL VENOUS")
    world.assemble()
    found = client.get(f"/api/series/{uid}").json()
    wanted = (
        "series_instance_uid study_instance_uid description modality state revision instance_count "
        "source_ae first_received last_received completed force_complete evidence decision reason "
        "conflicts jobs"
    )
    assert set(found) == set(wanted.split())
    assert found["state"] == "UNROUTED"
    assert found["evidence"]["sentence"]
    (rule,) = found["decision"]["stacks"][0]["rules"]
    assert [c["holds"] for c in rule["conditions"]] == [True, False]
    assert "low-dose chest" in found["reason"]


def test_studies_list_their_series(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    study_uid = "1.2.3.4"
    uids = {send_series(study_uid=study_uid) for _ in range(2)}
    send_series()
    answer = client.get("/api/studies")
    assert answer.headers["x-total-count"] == "2"
    found = {study["study_instance_uid"]: study for study in answer.json()}
    assert {each["series_instance_uid"] for each in found[study_uid]["series"]} == uids
    assert len(client.get("/api/studies?limit=1&offset=1").json()) == 1


def test_no_answer_names_a_patient(client: httpx.Client, world: World, make_job: MakeJob) -> None:
    job = make_job(PatientName="Doe^Jane", PatientID="SECRET-123456")
    (uid,) = job.source_series
    world.finish(job)
    for path in (
        *("/", "/api/studies", f"/api/series/{uid}", "/api/jobs", f"/api/jobs/{job.id}"),
        *(f"/series/{uid}", f"/jobs/{job.id}", f"/studies/{job.study_instance_uid}", "/metrics"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "Doe" not in answer.text
        assert "SECRET-123456" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/jobs/nope"),
        ("GET", "/api/series/1.2.3"),
        ("POST", "/api/jobs/nope/retry"),
        ("POST", "/api/jobs/nope/cancel"),
        ("POST", "/api/series/1.2.3/complete"),
        ("GET", "/api/nothing"),
    ],
)
def test_what_is_unknown_is_a_404_with_a_sentence(
    client: httpx.Client, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 404
    assert refusal(answer)


def test_what_is_not_there_is_a_sentence(client: httpx.Client) -> None:
    unknown, wrong = client.get("/api/nothing"), client.get("/dicom-web/studies")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert refusal(unknown) == "Not Found: no GET here; docs/status_page.md lists what there is."
    assert "docs/status_page.md" in refusal(wrong)
    assert wrong.headers["allow"] == "POST"
