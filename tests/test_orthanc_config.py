"""The Orthanc configuration of `orthanc_config/`, as its README says to use it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import requests

from tests.servers import LOOPBACK, free_port, program, wait_until

pytestmark = pytest.mark.orthanc
CONFIGURATIONS = Path(__file__).parents[1] / "orthanc_config"


def answer(url: str) -> int:
    """Status of a page, 0 while nobody answers."""
    try:
        return requests.get(url, timeout=5).status_code
    except requests.ConnectionError:
        return 0


def test_an_orthanc_of_ones_own_works_as_it_is(tmp_path: Path) -> None:
    """Without a password for this machine, closed to all others, and no user that all know."""
    settings = json.loads((CONFIGURATIONS / "orthanc.json").read_text())
    assert settings["RemoteAccessAllowed"] is False
    settings |= {"DicomPort": free_port(), "HttpPort": free_port()}
    copied = tmp_path / "orthanc.json"
    copied.write_text(json.dumps(settings))
    with (tmp_path / "log").open("wb") as log:
        command = [program("Orthanc"), str(copied)]
        orthanc = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://{LOOPBACK}:{settings['HttpPort']}"
        wait_until(lambda: answer(f"{url}/system") == 200, 60, "Orthanc to answer")
        assert answer(f"{url}/dicom-web/studies") == 200
    finally:
        orthanc.terminate()
        orthanc.wait(30)
    assert "INSECURE" not in (tmp_path / "log").read_text()
    assert (tmp_path / "OrthancStorage").is_dir()


@pytest.mark.parametrize("name", ["orthanc.json", "orthanc.compose.json"])
def test_no_user_that_all_know_is_let_in(name: str) -> None:
    """Orthanc makes one where authentication is on and no user is named."""
    settings = json.loads((CONFIGURATIONS / name).read_text())
    assert bool(settings["RegisteredUsers"]) is settings["AuthenticationEnabled"]
