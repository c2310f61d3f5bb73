"""`make run`: the demonstration, whole, with either PACS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pydicom
import pytest

from demo.__main__ import main, read_samples
from demo.routes import installed_routes
from pipelines import catalog
from tests.servers import program, wait_until

# The others go the same way, and through a real Orthanc, in tests/test_end_to_end_routes.py.
QUICK = ("low_dose_chest", "low_energy_mammogram")


@pytest.mark.parametrize(("pacs", "only"), [("orthanc", QUICK), ("qrscp", QUICK[:1])])
def test_the_sample_comes_back_to_the_pacs(
    pacs: str, only: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if pacs == "orthanc":
        program("Orthanc")
    folder = str(tmp_path / "demo")
    chosen = [word for name in only for word in ("--only", name)]
    assert main(["--once", "--pacs", pacs, *chosen, "--folder", folder]) == 0
    shown = capsys.readouterr().out
    assert "Status page   http://127.0.0.1:" in shown
    assert "SYNTHETIC DENOISED LOW DOSE CHEST" in shown
    assert "(CT): 16 in the PACS" in shown
    assert shown.count("(SR): 1 in the PACS") == len(read_samples(only))


def test_an_unknown_sample_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--once", "--only", "a_foot", "--folder", str(tmp_path / "demo")]) == 1
    assert "no sample 'a_foot'; there are: low_dose_chest" in capsys.readouterr().out


def test_a_folder_with_other_files_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--once", "--folder", str(tmp_path)]) == 1
    assert "holds other files (thesis.txt)" in capsys.readouterr().out.replace("\n", "")
    assert (tmp_path / "thesis.txt").exists()


def test_a_node_that_does_not_start_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_wrong(_pacs: object, folder: Path, *_ports: int) -> Path:
        config = folder / "node.yaml"
        config.write_text("node: {ae_titel: X}\n")
        return config

    monkeypatch.setattr("demo.__main__.write_config", write_wrong)
    assert main(["--once", "--pacs", "qrscp", "--folder", str(tmp_path / "demo")]) == 1
    shown = capsys.readouterr().out
    assert "did not become ready; its log is" in shown
    assert "vscanner: " in shown
    assert "ae_titel" in shown


def test_every_sample_is_sent_when_none_is_chosen() -> None:
    assert [sample.name for sample in read_samples()] == [r.sample for r in installed_routes()]


def test_samples_say_what_they_are() -> None:
    for sample in read_samples():
        for path in sample.paths:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            assert str(header.PatientName).startswith("SAMPLE^SIMULATED")
            assert "For demonstration only." in header.ImageComments
            assert "imulat" in header.SeriesDescription


def test_every_installed_pipeline_has_a_sample() -> None:
    assert {route.pipeline for route in installed_routes()} == set(catalog.names())


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--once"], 1)])
def test_a_plain_kill_stops_pacs_and_node_too(
    tmp_path: Path, options: list[str], code: int
) -> None:
    """With `--once` it is a failure: not every sample was answered."""
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "demo", "--pacs", "qrscp", "--folder", str(folder), *options]
    shown = tmp_path / "shown"
    with shown.open("wb") as output, subprocess.Popen(command, stdout=output) as process:
        try:
            wait_until(lambda: b"ready" in shown.read_bytes(), 120, "the node to be ready")
            process.terminate()
            assert process.wait(180) == code
        finally:
            process.kill()
    running = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert not [line for line in running if str(folder) in line]
