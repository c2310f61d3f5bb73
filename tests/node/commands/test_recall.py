from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.__main__ import main
from node.database.tables import jobs
from node.jobs.ledger import JobState
from pipelines import catalog
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, job_node

OLD = {"model": "ldct_denoise@0.1.0", "weights_sha256": "cd" * 32}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


def call(node: JobNode, *words: str) -> int:
    model = ("--model", "ldct_denoise")
    return main(["recall", *model, *words, "--config", str(node.config_path)])


def test_every_series_of_a_version(node: JobNode, capsys: pytest.CaptureFixture[str]) -> None:
    old = node.make_job(4, **OLD)
    node.make_job(4)
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(derived_series=["1.2.3"], state=JobState.COMMITTED))
    assert call(node, "--version", "0.1.0", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["id"], found["derived_series"]) == (old.id, ["1.2.3"])
    long = "2.25." + "1234567890" * 3
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(derived_series=[long, "1.2.3"]))
    assert call(node, "--version", "0.1.0") == 0
    shown = capsys.readouterr().out
    assert long in shown  # in one piece: somebody will search the archive for it
    assert "COMMITTED" in shown
    assert call(node, "--version", "9.9.9") == 0
    assert "made no series here" in capsys.readouterr().out


def test_a_mistyped_version_is_told_which_ones_made_series(
    node: JobNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(node, "--version", "0.1") == 0
    assert capsys.readouterr().out == "That version made no series here.\n"
    node.make_job(4, **OLD)
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(derived_series=["1.2.3"], state=JobState.COMMITTED))
    assert call(node, "--version", "0.1") == 0
    assert "Versions that did: ldct_denoise@0.1.0." in capsys.readouterr().out


def test_reprocess_makes_one_job_for_the_installed_version(
    node: JobNode, capsys: pytest.CaptureFixture[str]
) -> None:
    old = node.make_job(4, **OLD)
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(derived_series=["1.2.3"], state=JobState.COMMITTED))
    again = []
    for _ in range(2):
        assert call(node, "--version", "0.1.0", "--reprocess", "--json") == 0
        again.append(json.loads(capsys.readouterr().out)[0]["reprocessed_by"])
    assert again[0] == again[1] != old.id
    job = node.ledger.require(again[0])
    card = catalog.card("ldct_denoise")
    assert job.model == f"{card.name}@{card.version}"
    assert job.state is JobState.QUEUED
    assert job.evidence["recalled_job"] == old.id


def test_installed_version_is_not_made_again(
    node: JobNode, capsys: pytest.CaptureFixture[str]
) -> None:
    version = catalog.card("ldct_denoise").version
    assert call(node, "--version", version, "--reprocess") == 1
    assert "is the installed version" in capsys.readouterr().err
