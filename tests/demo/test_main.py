"""`make run`: the demonstration, whole, with either PACS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.__main__ import main, read_samples
from tests.servers import program, wait_until


@pytest.mark.parametrize("pacs", ["orthanc", "qrscp"])
def test_the_sample_comes_back_to_the_pacs(
    pacs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if pacs == "orthanc":
        program("Orthanc")
    assert main(["--once", "--pacs", pacs, "--folder", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    assert "Status page   http://127.0.0.1:" in shown
    assert "SYNTHETIC DENOISED LOW DOSE CHEST" in shown
    assert "(CT): 16 in the PACS" in shown
    assert "(SR): 1 in the PACS" in shown


def test_samples_say_what_they_are() -> None:
    for sample in read_samples():
        assert len(sample.paths) == 16
        text = sample.paths[0].read_bytes()
        assert b"SAMPLE^SIMULATED LOW DOSE" in text
        assert b"CC BY 3.0" in text


def test_a_plain_kill_stops_pacs_and_node_too(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "demo", "--pacs", "qrscp", "--folder", str(folder)]
    with (tmp_path / "shown").open("wb") as shown:
        process = subprocess.Popen(command, stdout=shown)
    wait_until(lambda: b"ready" in (tmp_path / "shown").read_bytes(), 120, "the node to be ready")
    process.terminate()
    assert process.wait(60) == 0
    running = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert not [line for line in running if str(folder) in line]
