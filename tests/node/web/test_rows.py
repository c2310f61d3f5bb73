"""Studies and series as the pages read them, also when there are very many."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from node.database.tables import instances, jobs, series
from node.web.rows import Part, count_studies, one_series, studies_page, study
from node.web.search import Search
from tests.node.query_plans import asked
from tests.node.web.conftest import SendSeries
from tests.node.web.world import World
from tests.synthetic import write_ct_dataset

MANY = 10_000


@pytest.mark.parametrize(
    ("show", "wanted"),
    [
        ("all", {"working", "held", "refused", "unrouted", "done"}),
        ("working", {"working"}),
        ("attention", {"held"}),
        ("refused", {"refused", "unrouted"}),
        ("done", {"done"}),
    ],
)
def test_filters(world: World, send_series: SendSeries, show: str, wanted: set[str]) -> None:
    names = {
        "working": send_series(),
        "held": send_series(),
        "done": send_series(),
        "unrouted": send_series(series_description="OTHER"),
        "refused": send_series(BodyPartExamined="HEAD"),
    }
    world.assemble()
    world.finish(world.job_of(names["held"]), "HELD", "RED")
    world.finish(world.job_of(names["done"]))
    with world.database.connect() as connection:
        page = studies_page(connection, Search(show), 100, 0)
    found = {one.series_instance_uid for each in page.studies for one in each.series}
    assert found == {names[name] for name in wanted}
    assert page.total == len(wanted)


def test_what_a_destination_cannot_confirm_is_done_in_the_end(
    world: World, send_series: SendSeries
) -> None:
    uid = send_series()
    world.assemble()
    job = world.job_of(uid)
    world.finish(job, "SENT")

    def counts() -> tuple[int, int]:
        with world.database.connect() as connection:
            working, done = (count_studies(connection, Search(s)) for s in ("working", "done"))
        return working, done

    assert counts() == (1, 0)
    reason = "Not confirmed: pacs offers no way to ask."
    world.ledger.update(job.id, reason=reason, finished=datetime.now(UTC))
    assert counts() == (0, 1)


def test_the_newest_study_comes_first(world: World, send_series: SendSeries) -> None:
    older, newer = send_series(), send_series()
    with world.database.connect() as connection:
        page = studies_page(connection, Search(), 10, 0)
    uids = [each.series[0].series_instance_uid for each in page.studies]
    assert uids == [newer, older]


def test_the_newest_studies_are_found_behind_one_of_many_series(
    world: World, send_series: SendSeries
) -> None:
    first = send_series(study_uid="1.2.3")
    for _ in range(9):
        send_series(study_uid="1.2.4")
    with asked(world.database) as steps, world.database.connect() as connection:
        page = studies_page(connection, Search(), 2, 0)
        second = studies_page(connection, Search(), 1, 1)
    assert [len(each.series) for each in page.studies] == [9, 1]
    assert [each.study_instance_uid for each in second.studies] == ["1.2.3"]
    assert second.studies[0].series[0].series_instance_uid == first
    assert "SCAN series USING COVERING INDEX ix_series_newest" in steps


def test_a_late_image_puts_the_old_job_aside(world: World, send_series: SendSeries) -> None:
    uid = send_series()
    world.assemble()
    with world.database.begin() as connection:
        connection.execute(sa.update(series).values(state="RECEIVING", revision=2))
    with world.database.connect() as connection:
        found = one_series(connection, uid)
    assert found is not None
    assert len(found.jobs) == 1
    assert found.job is None


def test_a_part_of_a_study_are_its_newest_series(world: World, send_series: SendSeries) -> None:
    uids = [send_series(study_uid="1.2.3") for _ in range(5)]

    def part(most: int | None, skip: int = 0) -> list[str]:
        with world.database.connect() as connection:
            found = study(connection, "1.2.3", Part(most, skip))
        assert found is None or found.series_count == 5
        return [each.series_instance_uid for each in found.series] if found else []

    assert part(None) == uids
    assert part(2) == uids[3:]
    assert part(2, 2) == uids[1:3]
    assert part(2, 4) == uids[:1]
    assert part(2, 6) == []


def test_what_is_not_here_is_none(world: World) -> None:
    with world.database.connect() as connection:
        assert study(connection, "1.2.3") is None
        assert one_series(connection, "1.2.3") is None
        assert studies_page(connection, Search(), 10, 0).studies == ()


def test_ten_thousand_series_are_as_quick_as_ten(world: World) -> None:
    fill(world)
    started = time.process_time()  # what others do on the machine is not counted
    with world.database.connect() as connection:
        page = studies_page(connection, Search(), 20, 2000)
        attention = studies_page(connection, Search("attention"), 20, 0)
    seconds = time.process_time() - started
    assert (page.total, len(page.studies)) == (MANY // 2, 20)
    assert attention.total == MANY // 100
    assert seconds < 1.0  # 0.08 s on an idle machine


def fill(world: World) -> None:
    """Ten thousand series, two a study; a job for every tenth."""
    now = datetime.now(UTC)
    json = write_ct_dataset().to_json_dict()
    del json["7FE00010"]
    of_series: list[dict[str, object]] = []
    of_instances: list[dict[str, object]] = []
    of_jobs: list[dict[str, object]] = []
    for n in range(MANY):
        uid, study_uid = f"1.2.{n}", f"1.3.{n // 2}"
        common = {"series_instance_uid": uid, "study_instance_uid": study_uid, "source_ae": "PACS"}
        received = now - timedelta(seconds=MANY - n)
        of_series.append(
            {
                **common,
                "state": "ROUTED",
                "instance_count": 1,
                "first_received": received,
                "last_received": received,
                "evidence": {},
                "decision": {},
            }
        )
        of_instances.append(
            {
                **common,
                "sop_instance_uid": f"1.4.{n}",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "received": received,
                "path": f"{n}.dcm",
                "size_bytes": 1,
                "sha256": "0" * 64,
                "attributes": json,
            }
        )
        if n % 10 == 0:
            of_jobs.append(
                {
                    "id": str(n),
                    "state": "FAILED" if n % 100 == 0 else "COMMITTED",
                    **dict.fromkeys(("route", "pipeline", "model", "source_ae"), "x"),
                    "weights_sha256": "0" * 64,
                    "study_instance_uid": study_uid,
                    "source_series": [uid],
                    **{name: {} for name in ("sources", "parameters", "evidence", "qc", "timings")},
                    **{name: [] for name in ("derived_series", "destinations")},
                    "created": received,
                }
            )
    with world.database.begin() as connection:
        for table, rows in ((series, of_series), (instances, of_instances), (jobs, of_jobs)):
            connection.execute(sa.insert(table), rows)
