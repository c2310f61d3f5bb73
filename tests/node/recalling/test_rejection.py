from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import yaml

from node.__main__ import main
from node.database.tables import jobs
from node.jobs.ledger import Job, JobState
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, job_node
from tests.servers import OrthancServer, run_orthanc
from tests.synthetic import write_ct_series

VERSION = "0.1.0"


def old_job(node: JobNode) -> Job:
    """A job of an older model."""
    return node.make_job(4, model=f"ldct_denoise@{VERSION}", weights_sha256="cd" * 32)


def finish(node: JobNode, job: Job, derived_series: list[str]) -> None:
    """As if the job had made these series."""
    values = {"derived_series": derived_series, "state": JobState.COMMITTED}
    with node.database.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(**values))


def recall(node: JobNode, reason: str) -> int:
    model = ("--model", "ldct_denoise", "--version", VERSION)
    return main(["recall", *model, "--json", "--reject", reason, "--config", str(node.config_path)])


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[OrthancServer]:
    with run_orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.mark.orthanc
def test_the_archive_gets_one_note_about_what_it_holds(
    pacs: OrthancServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with job_node(tmp_path / "node", pacs) as node:
        job = old_job(node)
        paths = write_ct_series(
            tmp_path / "derived", slices=3, seed=9, StudyInstanceUID=job.study_instance_uid
        )
        for path in paths:
            pacs.upload(path)
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
        held = str(headers[0].SeriesInstanceUID)
        finish(node, job, [held, "1.2.3.4.5"])
        assert recall(node, "quality") == 0
        before = pacs.series_uids()
        (told,) = json.loads(capsys.readouterr().out)
        assert recall(node, "quality") == 0  # again: the same file, kept once
        (again,) = json.loads(capsys.readouterr().out)
        assert told["rejection_notes"] == again["rejection_notes"]
        assert pacs.series_uids() == before
        (note_series,) = before - {held}
        (instance,) = pacs.instances_of(note_series)
        note = pydicom.dcmread(io.BytesIO(pacs.file(instance)))
    assert note.SOPInstanceUID == told["rejection_notes"]["pacs"]
    assert (note.Modality, note.PatientID) == ("KO", headers[0].PatientID)
    (series,) = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    rejected = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
    assert rejected == {header.SOPInstanceUID for header in headers}


@pytest.mark.parametrize(
    ("query", "sentence"), [(True, "cannot be reached"), (False, "not to be asked")]
)
def test_a_destination_that_cannot_be_asked_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], query: bool, sentence: str
) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        settings = yaml.safe_load(node.config_path.read_text())
        settings["peers"][0]["query"] = query
        node.config_path.write_text(yaml.safe_dump(settings))
        finish(node, old_job(node), ["1.2.3"])
        assert recall(node, "safety") == 1
    (told,) = json.loads(capsys.readouterr().out)
    assert told["rejection_notes"] == {}
    assert sentence in told["not_rejected"]
