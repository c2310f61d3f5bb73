"""Every route, black box: its sample from a real Orthanc through the node and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests

from demo.__main__ import SAMPLES
from demo.routes import DemoRoute, installed_routes
from pipelines import catalog
from tests.dual_echo import write_dual_echo
from tests.hospital import Site, check_validators, running_site
from tests.servers import wait_until
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.orthanc

OUTPUTS = {
    "ldct_denoise": {"CT": 16, "SR": 1, "PR": 1},
    "mr_to_ct": {"CT": 20, "SR": 1, "PR": 1},
    "cesm_vce": {"MG": 1, "SR": 1, "PR": 1},
    "ct_to_pet": {"PT": 255, "SEG": 1, "OT": 1, "SR": 1, "PR": 1},
}
"""Pipeline to how many instances of which Modality come back of its sample."""
INPUTS = {"mr_to_ct": ["IP", "OOP"], "cesm_vce": ["LE"]}
WINDOWS = {"PT": "suv7", "MG": "own", "CT": "soft"}

needs_mr = pytest.mark.skipif("mr_to_ct" not in catalog.names(), reason="mr_to_ct is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    routes = [route.to_yaml() for route in installed_routes()]
    with running_site(tmp_path_factory.mktemp("site"), routes) as running:
        yield running


@pytest.mark.parametrize("route", installed_routes(), ids=lambda route: str(route.pipeline))
def test_a_study_comes_back_translated(site: Site, route: DemoRoute, tmp_path: Path) -> None:
    paths = sorted((SAMPLES / route.sample).glob("*.dcm"))
    uid = site.send(paths)
    (job,) = site.finished_jobs(uid)
    assert (job["state"], job["pipeline"]) == ("COMMITTED", route.pipeline), job["reason"]
    derived = {series: site.retrieve(series) for series in job["derived_series"]}
    counts = {str(found[0].Modality): len(found) for found in derived.values()}
    assert counts == OUTPUTS[route.pipeline]
    check_labels(derived, pydicom.dcmread(paths[0], stop_before_pixels=True))
    check_validators(paths, derived, tmp_path)
    check_page(site, job, next(iter(derived.values()))[0].Modality)


def check_labels(derived: dict[str, list[pydicom.Dataset]], source: pydicom.Dataset) -> None:
    for found in derived.values():
        for one in found:
            assert one.StudyInstanceUID == source.StudyInstanceUID
            assert one.PatientID == source.PatientID
            if one.Modality != "SEG":  # a mask of acquired pixels is no synthetic image
                assert one.SyntheticData == "YES"
                assert one.SeriesDescription.startswith("SYNTHETIC")


def check_page(site: Site, job: dict[str, Any], modality: str) -> None:
    """The job's page shows the result in a window of its modality."""
    page = requests.get(f"{site.url}/jobs/{job['id']}", timeout=60)
    assert page.status_code == 200
    assert 'data-kind="after"' in page.text
    window = {"window": WINDOWS[modality]}
    for kind in ("before", "after"):
        address = f"{site.url}/jobs/{job['id']}/pictures/{kind}/1.png"
        picture = requests.get(address, params=window, timeout=60)
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")


@needs_mr
def test_echoes_of_two_series_become_one_job(site: Site, tmp_path: Path) -> None:
    files = write_dual_echo(tmp_path / "in", slices=6)
    site.send([*files["OOP"], *files["IP"]])
    uid = str(pydicom.dcmread(files["IP"][0], stop_before_pixels=True).SeriesInstanceUID)
    (job,) = site.finished_jobs(uid)
    assert job["state"] in ("COMMITTED", "HELD"), job["reason"]  # a phantom may be unlike anatomy
    assert len(job["source_series"]) == 2
    assert job["evidence"]["inputs"]["missing"] == []


@needs_mr
def test_in_phase_alone_says_that_it_is_alone(site: Site, tmp_path: Path) -> None:
    uid = site.send(write_dual_echo(tmp_path / "in", ("IP",), slices=6)["IP"])
    (job,) = site.finished_jobs(uid)
    assert job["state"] in ("COMMITTED", "HELD"), job["reason"]
    assert job["evidence"]["inputs"]["missing"] == ["OOP"]
    assert "IP alone is translated" in site.decided(uid)


@needs_mr
def test_opposed_phase_alone_is_refused(site: Site, tmp_path: Path) -> None:
    uid = site.send(write_dual_echo(tmp_path / "in", ("OOP",), slices=6)["OOP"])
    (job,) = site.finished_jobs(uid)
    assert job["state"] == "REFUSED"
    assert "only OOP is here" in job["reason"]


@pytest.mark.parametrize("folder", ["mg", "mr_abdomen_philips_survey", "mr_thigh_siemens_sts001"])
def test_what_is_not_meant_is_not_translated(site: Site, shared_data: Path, folder: str) -> None:
    paths = sorted((shared_data / folder).rglob("*.dcm"))[:8]
    uid = site.send(paths)
    wait_until(lambda: bool(site.decided(uid)), 120, "a decision about the series")
    assert site.decided(uid)
    assert {job["state"] for job in site.jobs_of(uid)} <= {"REFUSED", "HELD"}


def test_a_chest_ct_is_no_whole_body(site: Site, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=8, series_description="CHEST ROUTINE")
    uid = site.send(paths)
    wait_until(lambda: bool(site.decided(uid)), 120, "a decision about the series")
    assert site.jobs_of(uid) == []
