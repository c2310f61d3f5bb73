"""A hospital in small: `vscanner serve` beside a real Orthanc, each knowing the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import requests
import yaml
from pydicom.filebase import DicomBytesIO

from tests.servers import LOOPBACK, OrthancServer, free_port, run_orthanc, wait_until

FINAL = {"COMMITTED", "REFUSED", "HELD", "FAILED", "CANCELLED"}
ANSWER_TIMEOUT_S = 400.0
PARTNER_S = 4.0


@dataclass
class Site:
    """A PACS and a node that know each other."""

    pacs: OrthancServer
    url: str
    folder: Path

    def get(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=30).json()

    def send(self, paths: Sequence[Path]) -> str:
        """Put series into the PACS and send them from there; the UID of the first one."""
        for path in paths:
            self.pacs.upload(path)
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
        uids = list(dict.fromkeys(str(header.SeriesInstanceUID) for header in headers))
        for uid in uids:
            self.pacs.send_series(uid)
        return uids[0]

    def jobs_of(self, series_uid: str) -> list[dict[str, Any]]:
        return [job for job in self.get("/api/jobs") if series_uid in job["source_series"]]

    def finished_jobs(self, series_uid: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the series has `count` jobs and all of them have ended."""
        wait_until(
            lambda: (
                len(self.jobs_of(series_uid)) >= count
                and all(job["state"] in FINAL for job in self.jobs_of(series_uid))
            ),
            ANSWER_TIMEOUT_S,
            f"{count} jobs of {series_uid} to end",
        )
        return self.jobs_of(series_uid)

    def retrieve(self, series_uid: str) -> list[pydicom.Dataset]:
        """The instances of a series as the PACS gives them back."""
        files = [self.pacs.file(item) for item in self.pacs.instances_of(series_uid)]
        return [pydicom.dcmread(DicomBytesIO(content)) for content in files]

    def decided(self, uid: str) -> str:
        """Why a series was taken or not, "" until it is complete and decided."""
        series = self.get(f"/api/series/{uid}")
        open_ = series.get("state") in ("RECEIVING", "COMPLETE")
        return "" if open_ or not series.get("completed") else str(series.get("reason") or "")


@contextmanager
def running_site(
    folder: Path, routes: Sequence[dict[str, Any]], tree: Path | None = None
) -> Iterator[Site]:
    """Orthanc and a node with these routes, until the block ends; its code is that of `tree`."""
    port, web_port = free_port(), free_port()
    with run_orthanc(folder / "orthanc", our_port=port) as pacs:
        config = folder / "node.yaml"
        config.write_text(yaml.safe_dump(_config(folder, pacs, port, web_port, routes)))
        url = f"http://{LOOPBACK}:{web_port}"
        with (folder / "node.log").open("wb") as log:
            node = subprocess.Popen(
                [sys.executable, "-m", "node", "serve", "--config", str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=tree,
            )
        try:
            wait_until(lambda: _ready(url), 300, "GET /health/ready to answer 200")
            yield Site(pacs, url, folder)
        finally:
            node.terminate()
            assert node.wait(60) == 0


def _config(
    folder: Path, pacs: OrthancServer, port: int, web_port: int, routes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "node": {
            "ae_title": "VSCANNER",
            "host": LOOPBACK,
            "port": port,
            "data_dir": str(folder / "data"),
        },
        "peers": [
            {
                "name": "pacs",
                "ae_title": "ORTHANC",
                "host": LOOPBACK,
                "port": pacs.dicom_port,
                "dicomweb": pacs.dicomweb,
            }
        ],
        "web": {"host": LOOPBACK, "port": web_port},
        "assembly": {"quiet_s": 1, "limit_s": 60, "partner_s": PARTNER_S},
        "routes": [{"send_to": ["pacs"], **route} for route in routes],
    }


def _ready(url: str) -> bool:
    try:
        return requests.get(url + "/health/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def check_validators(
    paths: Sequence[Path], derived: dict[str, list[pydicom.Dataset]], folder: Path
) -> None:
    """One dciodvfy over each object and dcentvfy over all: no errors."""
    written = []
    for number, dataset in enumerate(ds for found in derived.values() for ds in found):
        path = folder / f"derived{number}.dcm"
        dataset.save_as(path)
        written.append(str(path))
    with ThreadPoolExecutor() as pool:
        found_errors = list(pool.map(lambda path: errors_of("dciodvfy", path), written))
    assert {
        path: errors for path, errors in zip(written, found_errors, strict=True) if errors
    } == {}
    assert errors_of("dcentvfy", *map(str, paths), *written) == []


def errors_of(program: str, *arguments: str) -> list[str]:
    """Lines that a validator calls errors."""
    tool = Path(sys.executable).with_name(program)
    shown = subprocess.run([str(tool), *arguments], capture_output=True, text=True, check=False)
    return [line for line in (shown.stdout + shown.stderr).splitlines() if "Error" in line]
