from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.__main__ import main
from node.database.tables import jobs
from node.jobs.ledger import JobState
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, job_node
from tests.servers import free_port


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


def call(node: JobNode, *words: str) -> int:
    return main(["jobs", *words, "--config", str(node.config_path)])


def test_empty_list(node: JobNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(node) == 0
    said = "".join(capsys.readouterr().out.split())  # the terminal folds a long path
    assert said == f"Therearenosuchjobsinthedatabaseof{node.config_path}."


def test_list_and_show(node: JobNode, capsys: pytest.CaptureFixture[str]) -> None:
    job = node.make_job(4)
    assert call(node, "list", "--state", "queued") == 0
    assert job.id[:8] in capsys.readouterr().out
    assert call(node, "list", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [job.id]
    assert call(node, "list", "--state", "FAILED", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert call(node, "show", job.id[:8], "--json") == 0
    assert json.loads(capsys.readouterr().out) == job.to_json()
    assert call(node, "show", job.id) == 0
    assert "ldct_denoise@" in capsys.readouterr().out


def test_brackets_of_a_reason_are_shown_as_they_are(
    node: JobNode, capsys: pytest.CaptureFixture[str]
) -> None:
    job = node.make_job(4)
    reason = "wanted matches (?i)[ls]ow, found A[/b]"
    node.ledger.update(job.id, reason=reason)
    assert call(node) == 0
    assert "[ls]ow" in capsys.readouterr().out
    assert call(node, "show", job.id) == 0
    assert reason in capsys.readouterr().out


def test_cancel_and_retry(node: JobNode, capsys: pytest.CaptureFixture[str]) -> None:
    job = node.make_job(4)
    assert call(node, "cancel", job.id[:8], "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "CANCELLED"
    assert call(node, "cancel", job.id) == 1
    assert "cannot be cancelled: it is CANCELLED" in capsys.readouterr().err
    assert call(node, "retry", job.id) == 0
    assert node.ledger.require(job.id).run == 1


def test_release(node: JobNode) -> None:
    job = node.make_job(4)
    with node.database.begin() as connection:
        connection.execute(jobs.update().values(state=JobState.HELD, step="check"))
    assert call(node, "release", job.id) == 0
    assert node.ledger.require(job.id).accept_held


@pytest.mark.parametrize("words", [("show", "zzz"), ("retry",), ("cancel", "")])
def test_unknown_job(node: JobNode, capsys: pytest.CaptureFixture[str], words: tuple[str]) -> None:
    assert call(node, *words) == 1
    assert "vscanner jobs list" in capsys.readouterr().err


def test_a_database_that_is_away_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.yaml"
    config.write_text(f"node: {{database: 'postgresql://a:secret@127.0.0.1:{free_port()}/b'}}")
    assert main(["jobs", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "The database (PostgreSQL, node.database) does not answer (" in said
    assert "Connection refused); see that it runs." in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "words",
    [("jobs", "list"), ("jobs", "cancel", "ab"), ("recall", "--model", "m", "--version", "1")],
)
def test_where_no_node_is_that_is_said_and_nothing_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(f"node: {{data_dir: {tmp_path / 'data'}}}\n")
    assert main([*words, "--config", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"vscanner: There is no node at {tmp_path / 'data'}")
    assert "--config" in said
    assert not (tmp_path / "data").exists()
