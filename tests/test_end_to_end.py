"""The contract, black box: `vscanner serve` beside a real Orthanc, as a hospital would run it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from pydicom.filebase import DicomBytesIO

from tests.servers import LOOPBACK, OrthancServer, free_port, run_orthanc, wait_until
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc

FINAL = {"COMMITTED", "REFUSED", "HELD", "FAILED", "CANCELLED"}
JOB_KEYS = {
    "id", "state", "route", "pipeline", "model", "source_series", "derived_series", "attempts",
    "reason", "evidence", "qc", "created", "finished",
}  # fmt: skip
CONFIG = """\
node: {{ae_title: VSCANNER, host: 127.0.0.1, port: {port}, data_dir: {data_dir}}}
peers:
  - {{name: pacs, ae_title: ORTHANC, host: 127.0.0.1, port: {pacs_port}, dicomweb: {dicomweb}}}
web: {{host: 127.0.0.1, port: {web_port}}}
assembly: {{quiet_s: 1, limit_s: 60}}
routes:
  - name: low-dose chest
    pipeline: ldct_denoise
    when: {{Modality: CT, SeriesDescription: {{matches: "(?i)low.?dose"}}}}
    send_to: [pacs]
"""


@dataclass
class Site:
    """A PACS and a node that know each other."""

    pacs: OrthancServer
    url: str
    folder: Path

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=30).json()

    def send(self, paths: list[Path]) -> str:
        """Put a series into the PACS and send it from there; gives its Series Instance UID."""
        for path in paths:
            self.pacs.upload(path)
        uid = str(pydicom.dcmread(paths[0], stop_before_pixels=True).SeriesInstanceUID)
        self.pacs.send_series(uid)
        return uid

    def jobs_of(self, series_uid: str) -> list[dict[str, Any]]:
        return [job for job in self.get("/api/jobs") if series_uid in job["source_series"]]

    def finished_jobs(self, series_uid: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the series has `count` jobs and all of them have ended."""
        wait_until(
            lambda: (
                len(self.jobs_of(series_uid)) >= count
                and all(job["state"] in FINAL for job in self.jobs_of(series_uid))
            ),
            180,
            f"{count} jobs of {series_uid} to end",
        )
        return self.jobs_of(series_uid)

    def retrieve(self, series_uid: str) -> list[pydicom.Dataset]:
        """The instances of a series as the PACS gives them back."""
        files = [self.pacs.file(item) for item in self.pacs.instances_of(series_uid)]
        return [pydicom.dcmread(DicomBytesIO(content)) for content in files]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    port, web_port = free_port(), free_port()
    with run_orthanc(folder / "orthanc", our_port=port) as pacs:
        config = folder / "node.yaml"
        config.write_text(
            CONFIG.format(
                port=port,
                data_dir=folder / "data",
                pacs_port=pacs.dicom_port,
                dicomweb=pacs.dicomweb,
                web_port=web_port,
            )
        )
        url = f"http://{LOOPBACK}:{web_port}"
        with (folder / "node.log").open("wb") as log:
            node = subprocess.Popen(
                [sys.executable, "-m", "node", "serve", "--config", str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: ready(url), 120, "GET /health/ready to answer 200")
            yield Site(pacs, url, folder)
        finally:
            node.terminate()
            assert node.wait(60) == 0


def ready(url: str) -> bool:
    try:
        return requests.get(url + "/health/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def errors_of(program: str, *arguments: str) -> list[str]:
    """Lines that a validator calls errors."""
    tool = Path(sys.executable).with_name(program)
    shown = subprocess.run([str(tool), *arguments], capture_output=True, text=True, check=False)
    return [line for line in (shown.stdout + shown.stderr).splitlines() if "Error" in line]


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


def check_validators(
    paths: list[Path], derived: dict[str, list[pydicom.Dataset]], folder: Path
) -> None:
    """dciodvfy on each object and dcentvfy over all: no errors."""
    written = []
    for number, dataset in enumerate(ds for found in derived.values() for ds in found):
        path = folder / f"derived{number}.dcm"
        dataset.save_as(path)
        written.append(str(path))
        assert errors_of("dciodvfy", str(path)) == []
    assert errors_of("dcentvfy", *map(str, paths), *written) == []


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
    wait_until(lambda: bool(decided(site, derived)), 60, "a decision about the derived series")
    assert "synthetic" in decided(site, derived).lower()
    assert all(found["state"] == "REFUSED" for found in site.jobs_of(derived))


def decided(site: Site, uid: str) -> str:
    """Why a series was taken or not, once it is complete."""
    series = site.get(f"/api/series/{uid}")
    return str(series.get("reason") or "") if series.get("completed") else ""


def test_what_no_rule_takes_says_why(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=4, series_description="CHEST ROUTINE")
    uid = site.send(paths)
    wait_until(lambda: bool(decided(site, uid)), 60, "a decision about the series")
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
