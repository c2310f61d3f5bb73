"""The contract, black box: `vscanner serve` beside a real Orthanc, as a hospital would run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests

from tests.hospital import Site, check_validators, running_site
from tests.servers import wait_until
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc

JOB_KEYS = {
    "id", "state", "route", "pipeline", "model", "source_series", "derived_series", "attempts",
    "reason", "evidence", "qc", "created", "finished",
}  # fmt: skip
ROUTE: dict[str, Any] = {
    "name": "low-dose chest",
    "pipeline": "ldct_denoise",
    "when": {"Modality": "CT", "SeriesDescription": {"matches": "(?i)low.?dose"}},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), [ROUTE]) as running:
        yield running


def test_a_low_dose_ct_comes_back_denoised(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=8)
    uid = site.send(paths)
    (job,) = site.finished_jobs(uid)
    assert job["state"] == "COMMITTED", job["reason"]
    assert job.keys() >= JOB_KEYS
    assert job["pipeline"] == "ldct_denoise"
    derived = {series: site.retrieve(series) for series in job["derived_series"]}
    images = next(found for found in derived.values() if found[0].Modality == "CT")
    assert len(images) == 8
    check_labels(images, paths)
    check_validators(paths, derived, tmp_path)


def check_labels(images: list[pydicom.Dataset], paths: list[Path]) -> None:
    sources = [pydicom.dcmread(path) for path in paths]
    positions = {tuple(source.ImagePositionPatient) for source in sources}
    for image in images:
        assert image.SyntheticData == "YES"
        assert image.SeriesDescription.startswith("SYNTHETIC")
        assert list(image.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        assert image.StudyInstanceUID == sources[0].StudyInstanceUID
        assert image.PatientName == sources[0].PatientName
        assert tuple(image.ImagePositionPatient) in positions
        assert image.Manufacturer != sources[0].Manufacturer


def test_sent_twice_is_one_job_and_one_derived_series(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=4)
    uid = site.send(paths)
    site.finished_jobs(uid)
    before = site.pacs.series_uids()
    site.pacs.send_series(uid)
    wait_until(lambda: quiet(site, uid), 30, "the second sending to be taken in")
    assert len(site.jobs_of(uid)) == 1
    assert site.pacs.series_uids() == before


def quiet(site: Site, uid: str) -> bool:
    """Whether the series is complete again after the second sending."""
    return bool(site.get(f"/api/series/{uid}")["completed"])


def test_a_synthetic_series_is_refused(site: Site, tmp_path: Path) -> None:
    uid = site.send(write_ct_series(tmp_path / "in", slices=4))
    (job,) = site.finished_jobs(uid)
    derived = next(u for u in job["derived_series"] if site.retrieve(u)[0].Modality == "CT")
    site.pacs.send_series(derived)
    wait_until(lambda: bool(site.decided(derived)), 60, "a decision about the derived series")
    assert "synthetic" in site.decided(derived).lower()
    assert all(found["state"] == "REFUSED" for found in site.jobs_of(derived))


def test_what_no_rule_takes_says_why(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=4, series_description="CHEST ROUTINE")
    uid = site.send(paths)
    wait_until(lambda: bool(site.decided(uid)), 60, "a decision about the series")
    assert site.jobs_of(uid) == []
    assert site.get(f"/api/series/{uid}")["decision"]


def test_late_images_open_a_new_revision(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=6)
    uid = site.send(paths[:4])
    (first,) = site.finished_jobs(uid)
    for path in paths[4:]:
        site.pacs.upload(path)
    site.pacs.send_series(uid)
    both = site.finished_jobs(uid, count=2)
    assert {job["state"] for job in both} == {"COMMITTED"}
    second = next(job for job in both if job["id"] != first["id"])
    assert set(second["derived_series"]).isdisjoint(first["derived_series"])
    assert site.get(f"/api/series/{uid}")["revision"] == 2


def test_a_real_ct_goes_the_whole_way(site: Site, shared_data: Path) -> None:
    """A GE liver CT in JPEG-LS, whose description is made to ask for translation."""
    described = []
    for path in sorted((shared_data / "ct_liver_ge_1004").glob("*.dcm"))[:10]:
        dataset = pydicom.dcmread(path)
        dataset.SeriesDescription = "LOW DOSE " + str(dataset.get("SeriesDescription", ""))
        described.append(site.folder / f"ge_{path.name}")
        dataset.save_as(described[-1])
    uid = site.send(described)
    (job,) = site.finished_jobs(uid)
    assert job["state"] == "COMMITTED", job["reason"]
    images = next(f for f in map(site.retrieve, job["derived_series"]) if f[0].Modality == "CT")
    assert len(images) == len(described)


def test_pages_and_metrics_answer(site: Site) -> None:
    for path in ("/", "/health/live", "/health/ready", "/metrics", "/api/studies", "/api/jobs"):
        assert requests.get(site.url + path, timeout=30).status_code == 200, path
    assert "Phantom" not in requests.get(site.url + "/metrics", timeout=30).text


def test_the_log_names_no_patient(site: Site) -> None:
    log = (site.folder / "node.log").read_text()
    assert "Phantom" not in log
    assert "PHANTOM-1" not in log
