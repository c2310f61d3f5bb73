"""Words of others through a running node: letters arrive, secrets go nowhere else."""

from __future__ import annotations

import base64
import pickle
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset

from tests.hospital import Site, check_validators, running_site
from tests.servers import wait_until
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc

ROUTE: dict[str, Any] = {
    "name": "low-dose chest",
    "pipeline": "ldct_denoise",
    "when": {"Modality": "CT", "SeriesDescription": {"matches": "(?i)low.?dose"}},
}
SCRIPTS: dict[str, tuple[str | list[str], str, str]] = {
    # PS3.5 annexes H, I, J: name in three component groups, then a description
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "胸部検診"),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "흉부 검사"),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东", "胸部低剂量"),
    "Arabic": ("ISO_IR 127", "قباني^لنزار", "صدر"),
    "all in one": ("ISO_IR 192", "Müller^Jürgen=山田^太郎=홍^길동", "Thorax 胸部 흉부 صدر"),
}
CANARY = "CANARY"
FOUND = re.compile(rf"{CANARY}(\d+)", re.IGNORECASE)
FREE_TEXT = (
    *("PatientName", "PatientID", "OtherPatientNames", "PatientAddress", "PatientComments"),
    *("PatientTelephoneNumbers", "PatientMotherBirthName", "Occupation", "MedicalAlerts"),
    *("AdditionalPatientHistory", "AdmittingDiagnosesDescription", "AccessionNumber", "StudyID"),
    *("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "StudyComments"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "DeviceSerialNumber"),
    *("NameOfPhysiciansReadingStudy", "RequestingPhysician", "RequestedProcedureDescription"),
    *("PerformedProcedureStepDescription", "PerformedProcedureStepID", "ContrastBolusAgent"),
    *("RequestAttributesSequence", "IssuerOfPatientID", "ClinicalTrialSubjectID"),
)
LOW_DOSE = "LOW DOSE "
SHOWN = {"StudyDescription", "SeriesDescription", "AccessionNumber"}
"""What docs/status_page.md says that the page shows."""
SPOKEN_OF = {"SeriesDescription"}
"""What the configured rule asks for, which an explanation repeats."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), [ROUTE]) as running:
        yield running


@pytest.mark.parametrize("script", SCRIPTS)
def test_letters_of_all_scripts_arrive(site: Site, tmp_path: Path, script: str) -> None:
    characters, name, words = SCRIPTS[script]
    paths = write_ct_series(tmp_path / "in", slices=3)
    for path in paths:
        ds = pydicom.dcmread(path)
        ds.SpecificCharacterSet = characters
        ds.PatientName, ds.ReferringPhysicianName = name, name
        ds.StudyDescription, ds.SeriesDescription = words, f"{LOW_DOSE}{words}"
        ds.save_as(path)
    (job,) = site.finished_jobs(site.send(paths))
    assert job["state"] == "COMMITTED", job["reason"]
    derived = {series: site.retrieve(series) for series in job["derived_series"]}
    objects = [each for found in derived.values() for each in found]
    assert {each.Modality for each in objects} == {"CT", "SR", "PR"}
    for each in objects:
        assert (str(each.PatientName), each.StudyDescription) == (name, words), each.Modality
        assert each.SeriesDescription.startswith("SYNTHETIC")
    check_validators(paths, derived, tmp_path)
    page = requests.get(site.url + f"/jobs/{job['id']}", timeout=30).text
    assert f"<h1>{LOW_DOSE}{words}</h1>" in page
    assert words in requests.get(site.url + "/", timeout=30).text
    (study,) = [each for each in site.get("/api/studies") if words == each["description"]]
    assert study["study_instance_uid"] == objects[0].StudyInstanceUID


def test_what_a_series_says_of_its_patient_goes_nowhere_else(site: Site, tmp_path: Path) -> None:
    secrets: dict[str, str] = {}
    taken = with_canaries(write_ct_series(tmp_path / "a", slices=3), secrets, LOW_DOSE)
    refused = with_canaries(
        write_ct_series(tmp_path / "b", slices=3, BodyPartExamined="HEAD"), secrets, LOW_DOSE
    )
    nobody = with_canaries(write_ct_series(tmp_path / "c", slices=3), secrets, "")
    broken = with_canaries(write_ct_series(tmp_path / "d", slices=3), secrets, LOW_DOSE)
    for file in broken:
        ds = pydicom.dcmread(file)
        ds.PixelData = ds.PixelData[:100]
        ds.save_as(file)
    sent = [site.send(paths) for paths in (taken, refused, broken)]
    jobs = [job for uid in sent for job in site.finished_jobs(uid)]
    assert [job["state"] for job in jobs] == ["COMMITTED", "REFUSED", "FAILED"]
    uid = site.send(nobody)
    wait_until(lambda: bool(site.decided(uid)), 60, "a decision about the series")

    def said(text: str) -> set[str]:
        return {secrets[number] for number in FOUND.findall(text)}

    assert said((site.folder / "node.log").read_text()) == set()
    assert said("\n".join(map(str, site.folder.joinpath("data").rglob("*")))) == set()
    for path in ("/metrics", "/health/ready", "/api/jobs", "/jobs/1", "/series/1.2", "/api/jobs/1"):
        assert said(requests.get(site.url + path, timeout=30).text) == set(), path
    for job in jobs:
        for path in (f"/api/jobs/{job['id']}", f"/studies/{job['source_series'][0]}9"):
            assert said(requests.get(site.url + path, timeout=30).text) == set(), path
        assert said(requests.get(f"{site.url}/jobs/{job['id']}", timeout=30).text) <= SHOWN
    for path in ("/", "/api/studies", f"/series/{uid}", f"/api/series/{uid}"):
        assert said(requests.get(site.url + path, timeout=30).text) <= SHOWN, path
    rows = rows_by_table(site.folder / "data")
    assert {"instances", "jobs", "series", "workflow_status"} <= set(rows)
    assert "PatientName" in said(rows.pop("instances"))  # the index, which docs speak of
    assert said(rows.pop("series")) <= SPOKEN_OF
    assert {table: said(text) for table, text in rows.items() if said(text)} == {}
    files = text_files(site.folder / "data")
    assert {name: said(text) for name, text in files.items() if said(text)} == {}


def with_canaries(paths: list[Path], secrets: dict[str, str], description: str) -> list[Path]:
    """Put a word of its own into every text of a series; `secrets` says which word is whose."""
    words = {keyword: f"{CANARY}{len(secrets) + n}" for n, keyword in enumerate(FREE_TEXT)}
    secrets.update({word.removeprefix(CANARY): keyword for keyword, word in words.items()})
    for path in paths:
        ds = pydicom.dcmread(path)
        for keyword, word in words.items():
            if keyword.endswith("Sequence"):
                ds.RequestAttributesSequence = [Dataset()]
                ds.RequestAttributesSequence[0].RequestedProcedureID = word
            elif "Name" in keyword and keyword != "InstitutionName":
                setattr(ds, keyword, f"{word}^SECRET")
            else:
                setattr(ds, keyword, word)
        ds.SeriesDescription = description + words["SeriesDescription"]
        assert all(keyword_for_tag(tag_for_keyword(keyword) or 0) for keyword in words)
        ds.private_block(0x0099, "SOMEBODY", create=True).add_new(1, "LO", words["PatientName"])
        ds.save_as(path)
    return paths


def rows_by_table(data_dir: Path) -> dict[str, str]:
    """All that the node's databases hold, as text, by table; pickled values opened."""
    found: dict[str, str] = {}
    for path in data_dir.rglob("*"):
        if not path.is_file() or path.read_bytes()[:6] != b"SQLite":
            continue
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in names.fetchall():
                rows = connection.execute(f'SELECT * FROM "{table}"')
                values = [opened(value) for row in rows for value in row]
                found[table] = found.get(table, "") + "\n".join(values)
    return found


def opened(value: object) -> str:
    """A value of a table as text, together with what is packed in it."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    try:
        return f"{text} {pickle.loads(base64.b64decode(text, validate=True))!r}"
    except Exception:  # noqa: BLE001 - most values are not packed
        return text


def text_files(data_dir: Path) -> dict[str, str]:
    """Everything below the data directory but DICOM objects and databases, by path."""
    found = {}
    for path in data_dir.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        of_database = content[:6] == b"SQLite" or path.name.endswith(("-wal", "-shm"))
        if content[128:132] != b"DICM" and not of_database:
            found[str(path.relative_to(data_dir))] = content.decode("latin-1")
    return found
