"""The pages say what came in, where it is now and why; also without JavaScript."""

from __future__ import annotations

import html
import re
import shutil
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from node.database.tables import conflicts, deliveries, instances, jobs, series
from node.jobs.ledger import JobState
from node.retention.deletion import Retention
from node.web import pages
from pipelines import catalog
from tests.node.web.conftest import MakeJob, SendSeries
from tests.node.web.world import World


def text_of(answer: httpx.Response) -> str:
    """What a reader sees of a page, roughly."""
    without_tags = re.sub(r"<[^>]+>", " ", answer.text)
    return re.sub(r"\s+", " ", html.unescape(without_tags))


def test_a_study_of_many_series_is_shown_in_parts(
    client: httpx.Client, send_series: SendSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SERIES_ON_A_CARD", 2)
    monkeypatch.setattr(pages, "SERIES_ON_A_PAGE", 3)
    uids = [send_series(study_uid="1.2.3", slices=3) for _ in range(5)]

    def shown(path: str) -> set[str]:
        return set(re.findall(r'<a href="/series/([\d.]+)">(?!Why)', client.get(path).text))

    assert shown("/") == set(uids[3:])
    assert "All 5 series of this study</a>; the 2 newest are shown" in client.get("/").text
    assert shown("/studies/1.2.3") == set(uids[2:])
    assert shown("/studies/1.2.3?page=2") == set(uids[:2])
    assert "Page 2 of 2 · 5 series" in client.get("/studies/1.2.3?page=2").text
    assert client.get("/studies/1.2.3?page=3").status_code == 404


def test_an_empty_node_says_where_to_send(client: httpx.Client, world: World) -> None:
    text = text_of(client.get("/"))
    assert "Nothing has come in yet" in text
    assert f"port {world.config.node.port}" in text
    assert "No worker is alive" in text


def test_the_overview_says_where_a_series_is_and_why(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    done, refused = send_series(), send_series(BodyPartExamined="HEAD")
    send_series(series_description="PORTAL VENOUS")
    world.assemble()
    world.finish(world.job_of(done))
    send_series(series_description="LOW DOSE LATE")
    world.beat()
    text = text_of(client.get("/"))
    assert world.job_of(refused).reason in text
    assert "No rule takes it" in text
    assert "confirmed that it keeps the new series" in text
    for word in ("Done", "Not translated", "Not for us", "Receiving"):
        assert f" {word} " in text
    assert "No worker is alive" not in text


@pytest.mark.parametrize("show", ["working", "attention", "refused", "done"])
def test_an_empty_filter_leads_back(client: httpx.Client, show: str) -> None:
    assert "Show all studies" in client.get("/", params={"show": show}).text


def test_each_tile_counts_what_its_list_shows(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    """Two series of one study need a person, two of another are not translated."""
    held = [send_series(study_uid="1.2.3") for _ in range(2)]
    send_series(study_uid="1.2.4", BodyPartExamined="HEAD")
    send_series(study_uid="1.2.4", series_description="PORTAL VENOUS")
    world.assemble()
    for uid in held:
        world.finish(world.job_of(uid), "HELD", "RED")
    send_series()
    found = {}
    for show in ("all", "working", "attention", "refused", "done"):
        page = client.get("/", params={"show": show}).text
        tile = re.search(rf'id="filter-{show}"[^>]*><strong>(\d+)</strong>', page)
        assert tile
        found[show] = int(tile[1])
        assert page.count('class="card study"') == found[show]
    assert found == {"all": 3, "working": 1, "attention": 1, "refused": 1, "done": 0}


def test_of_several_jobs_the_one_that_needs_a_person_is_shown(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    """As of a mammogram, each view of which has a job, and of a series with late images."""
    uids = [send_series(study_uid="1.2.3") for _ in range(3)]
    world.assemble()
    old, failed, done = (world.job_of(uid) for uid in uids)
    world.ledger.update(failed.id, state="FAILED", reason="The second view failed.")
    world.ledger.update(old.id, state="FAILED", reason="What was there at first failed.")
    world.finish(done)
    with world.database.begin() as connection:
        connection.execute(jobs.update().values(source_series=[uids[2]]))
        connection.execute(jobs.update().where(jobs.c.id != old.id).values(revision=2))
        where = series.c.series_instance_uid == uids[2]
        connection.execute(series.update().where(where).values(revision=2))
        for uid in uids[:2]:
            connection.execute(series.delete().where(series.c.series_instance_uid == uid))
    text = text_of(client.get("/"))
    assert "The second view failed." in text
    assert "2 jobs" in text
    assert "Another job of this series: failed. What was there at first failed." in text


def test_titles_tell_tabs_apart_without_the_patient(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    (uid,) = job.source_series

    def title(path: str) -> str:
        return html.unescape(client.get(path).text.split("<title>")[1].split("</title>")[0])

    assert title("/") == "Virtual Scanner"
    assert title(f"/jobs/{job.id}") == f"Waiting · ldct_denoise {job.id[:8]} · Virtual Scanner"
    assert title(f"/series/{uid}") == f"Waiting · Series …{uid[-6:]} · Virtual Scanner"
    study = job.study_instance_uid
    assert title(f"/studies/{study}") == f"Study …{study[-6:]} · Virtual Scanner"
    world.ledger.update(job.id, state="FAILED")
    assert title("/") == "1 need a person · Virtual Scanner"


def test_studies_are_paged(client: httpx.Client, send_series: SendSeries) -> None:
    for _ in range(21):
        send_series(slices=1)
    first, second = client.get("/"), client.get("/?page=2")
    assert "Page 1 of 2" in text_of(first)
    assert first.text.count('class="card study"') == 20
    assert second.text.count('class="card study"') == 1


@pytest.mark.parametrize("state", list(JobState))
def test_the_pages_of_every_state_can_be_read(
    client: httpx.Client, world: World, make_job: MakeJob, state: JobState
) -> None:
    job = make_job()
    (uid,) = job.source_series
    with world.database.begin() as connection:
        connection.execute(
            sa.text("UPDATE jobs SET state = :state, step = 'translate', progress = 0.4"),
            {"state": str(state)},
        )
    for path in ("/", f"/series/{uid}", f"/jobs/{job.id}", f"/studies/{job.study_instance_uid}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "LOW DOSE CHEST" in answer.text


def test_the_series_page_shows_every_condition(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid = send_series(series_description="PORTAL VENOUS")
    world.assemble()
    text = text_of(client.get(f"/series/{uid}"))
    assert "Modality CT CT (5 of 5)" in text
    assert "PORTAL VENOUS (5 of 5)" in text
    assert "does not hold" in text
    assert "does not take it" in text


def test_evidence_of_an_earlier_revision_says_so(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid = send_series()
    world.assemble()
    assert "revision 1" not in text_of(client.get(f"/series/{uid}"))
    with world.database.begin() as connection:
        connection.execute(series.update().values(state="RECEIVING", revision=2))
    text = text_of(client.get(f"/series/{uid}"))
    assert "late images came. What stands here is of revision 1" in text
    assert "Complete 20" not in text


def test_a_result_that_comes_back_is_named_and_refused_in_good_words(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    uid = world.receive(sorted(world.derived_folder(job).rglob("*.dcm")))
    world.assemble()
    text = text_of(client.get(f"/series/{uid}"))
    assert "Axial CT derived, 64 x 64: 5 images" in text
    assert "It is synthetic (Synthetic Data (0008,001C) is YES); only acquired images" in text


def test_a_conflict_is_told(client: httpx.Client, world: World, send_series: SendSeries) -> None:
    uid = send_series()
    with world.database.begin() as connection:
        connection.execute(
            sa.insert(conflicts).values(
                sop_instance_uid="1.2",
                series_instance_uid=uid,
                source_ae="PACS",
                received=sa.func.now(),
                path="conflicts/1.2.dcm",
                sha256="0" * 64,
            )
        )
    assert "other content under the same UID" in text_of(client.get("/"))
    assert "other content under the same UID" in text_of(client.get(f"/series/{uid}"))


def test_the_job_page_says_when_deliveries_are_no_longer_listed(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    with world.database.begin() as connection:
        connection.execute(sa.delete(deliveries))  # as retention does in the end
    text = text_of(client.get(f"/jobs/{job.id}"))
    assert "single objects are no longer listed" in text
    assert "Will go to" not in text


def test_a_job_outlives_what_is_remembered_of_its_series(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    page = client.get(f"/jobs/{job.id}").text
    assert f"/studies/{job.study_instance_uid}" in page
    with world.database.begin() as connection:
        for table in (instances, series):
            connection.execute(table.delete())
    answer = client.get(f"/jobs/{job.id}")
    assert (answer.status_code, "has confirmed that it keeps" in text_of(answer)) == (200, True)
    assert "/studies/" not in answer.text
    assert "/series/" not in answer.text
    assert client.get(f"/studies/{job.study_instance_uid}").status_code == 404
    assert client.get("/").status_code == 200


def test_the_job_page_offers_no_picture_of_images_that_were_deleted(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    retention = Retention(world.database, world.config.node.data_dir, world.config.retention)

    def pictures(days: float) -> tuple[list[str], str]:
        retention.sweep(datetime.now(UTC) + timedelta(days=days))
        text = client.get(f"/jobs/{job.id}").text
        sources = re.findall(r'src="(/jobs/[^"]+\.png[^"]*)"', text)
        assert [client.get(html.unescape(one)).status_code for one in sources] == [200] * len(
            sources
        )
        return re.findall(r'data-kind="(\w+)"', text), text

    assert pictures(0)[0] == ["before", "after", "difference"]
    kinds, text = pictures(days=2)
    assert kinds == ["after"]
    assert "The source images are no longer kept here" in text
    kinds, text = pictures(days=8)
    assert kinds == []
    assert "The images are no longer kept here" in text


def test_the_job_page_shows_quality_deliveries_and_times(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job, verdict="AMBER")
    text = text_of(client.get(f"/jobs/{job.id}"))
    assert "Amber Something is unusual" in text
    assert "Bone moved by 31 HU" in text
    assert "5 of 5 arrived, 5 confirmed" in text
    assert "21.7 s" in text
    assert "Noise before (HU) 38.2" in text
    assert "1.34 (amber from 3.4, red from 5)" in text


def test_new_series_are_named_as_a_viewer_does(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    (uid,) = world.ledger.require(job.id).derived_series
    text = text_of(client.get(f"/jobs/{job.id}"))
    assert f"SYNTHETIC DENOISED LOW DOSE CHEST 3.0 (CT) {uid}" in text
    shutil.rmtree(world.derived_folder(job))  # as retention does in the end
    text = text_of(client.get(f"/jobs/{job.id}"))
    assert f"No longer kept here; its Series Instance UID is {uid}" in text


def test_a_failed_job_says_what_to_do_now(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.ledger.update(job.id, state="FAILED", reason="The disk is full.")
    text = text_of(client.get(f"/jobs/{job.id}"))
    assert "The disk is full. It did not succeed and is not tried again by itself." in text


def test_a_series_that_is_held_before_it_is_translated_promises_no_pictures(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    with world.database.begin() as connection:
        connection.execute(jobs.update().values(state="HELD", reason="It may be a localizer."))
    assert "Release: translate it" in client.get(f"/jobs/{job.id}").text
    assert "Compare before and after" not in client.get("/").text


def test_a_job_that_could_not_be_sent_offers_its_pictures(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job, state="SENT")
    world.ledger.update(job.id, state="FAILED", reason="The PACS is away.")
    assert "Compare before and after" in client.get("/").text


def test_without_javascript_slice_and_window_are_a_form(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job(slices=9)
    world.finish(job)
    shown = client.get(f"/jobs/{job.id}").text
    assert f"/jobs/{job.id}/pictures/before/5.png?window=" in shown
    chosen = client.get(f"/jobs/{job.id}", params={"slice": 2, "window": "bone"}).text
    assert f"/jobs/{job.id}/pictures/difference/2.png?window=bone" in chosen
    too_far = client.get(f"/jobs/{job.id}", params={"slice": 200}).text
    assert f"/jobs/{job.id}/pictures/after/9.png" in too_far


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("QUEUED", {"cancel"}),
        ("RUNNING", {"cancel"}),
        ("HELD", {"release", "cancel"}),
        ("FAILED", {"retry", "cancel"}),
        ("REFUSED", {"retry"}),
        ("COMMITTED", set()),
    ],
)
def test_only_possible_buttons_are_shown_and_they_work(
    client: httpx.Client, world: World, make_job: MakeJob, state: str, buttons: set[str]
) -> None:
    job = make_job()
    with world.database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET state = :state"), {"state": state})
    page = client.get(f"/jobs/{job.id}").text
    found = set(re.findall(rf'action="/jobs/{job.id}/(\w+)"', page))
    assert found == buttons
    for action in ("retry", "cancel", "release"):
        if action not in buttons:
            answer = client.post(f"/jobs/{job.id}/{action}")
            assert answer.status_code == 409
            assert "<h1>Not possible now</h1>" in answer.text
            assert f'href="/jobs/{job.id}">To the job</a>' in answer.text
    if buttons:
        answer = client.post(f"/jobs/{job.id}/{min(buttons)}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")


def test_what_awaits_confirmation_is_not_to_be_tried_again(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job, "SENT")
    assert "Try again" not in client.get(f"/jobs/{job.id}").text
    world.ledger.update(job.id, finished=job.created, reason="Not confirmed.")
    assert "Try again" in client.get(f"/jobs/{job.id}").text


def test_a_series_is_forced_complete_by_its_button(
    client: httpx.Client, world: World, send_series: SendSeries
) -> None:
    uid = send_series()
    assert f'action="/series/{uid}/complete"' in client.get(f"/series/{uid}").text
    answer = client.post(f"/series/{uid}/complete")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/series/{uid}")
    assert "Done: the node goes on with what is here" in client.get(f"/series/{uid}").text
    world.assemble()
    assert "A person said that it is complete" in client.get(f"/series/{uid}").text


@pytest.mark.parametrize("path", ["/series/1.2.3", "/studies/1.2.3", "/jobs/nope", "/nothing"])
def test_what_is_unknown_is_a_page_with_a_sentence(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "To the overview" in answer.text


def test_the_address_of_a_button_leads_to_its_page(client: httpx.Client, make_job: MakeJob) -> None:
    """A browser that is opened again asks for it as for a page."""
    address = f"/jobs/{make_job().id}"
    answer = client.get(f"{address}/retry")
    assert answer.status_code == 405
    assert "There is no page at this address." in answer.text
    assert f'href="{address}">To the job</a>' in answer.text


@pytest.mark.parametrize(
    ("state", "verdict", "told"),
    [
        ("COMMITTED", "GREEN", ""),
        ("SENT", "AMBER", "Quality: amber. Something is unusual; look at the pictures"),
        ("COMMITTED", "RED", "Quality: red. The result must not be used unless"),
        ("HELD", "RED", ""),  # its reason says so
    ],
)
def test_a_doubt_about_what_was_sent_is_told_on_every_page(
    client: httpx.Client, world: World, make_job: MakeJob, state: str, verdict: str, told: str
) -> None:
    job = make_job()
    world.finish(job, state, verdict)
    for path in ("/", f"/series/{job.source_series[0]}", f"/jobs/{job.id}"):
        page = text_of(client.get(path))
        assert told in page, path
        assert ("Quality: " in page) == bool(told), path


def test_the_job_page_says_what_its_figures_mean(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    card = catalog.card(job.pipeline)
    sentences = [*card.measurements.values(), card.parameters["dose_share"].description]
    page = text_of(client.get(f"/jobs/{job.id}"))
    assert [sentence for sentence in sentences if sentence not in page] == []
    with world.database.begin() as connection:
        connection.execute(jobs.update().values(pipeline="not_installed_any_more"))
    assert "What do the figures mean?" not in client.get(f"/jobs/{job.id}").text


def test_what_a_sender_writes_is_never_html(client: httpx.Client, make_job: MakeJob) -> None:
    job = make_job(series_description="LOW DOSE <script>alert(1)</script>")
    for path in ("/", f"/series/{job.source_series[0]}", f"/jobs/{job.id}"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
