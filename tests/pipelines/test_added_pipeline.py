"""The pipeline of docs/add_a_pipeline.md: built from the page as it stands, run by the node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import requests
import yaml
from scipy.ndimage import uniform_filter

from dicom_profiles.recognition.series import is_synthetic
from pipelines import catalog
from tests.dicom_profiles.validators import dciodvfy_errors
from tests.hospital import check_validators, running_site
from tests.synthetic import write_ct_series

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add_a_pipeline.md").read_text(encoding="utf-8")
PACKAGES = ("node", "pipelines", "dicom_profiles")
FILE = re.compile(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)```", re.DOTALL)
DIFF = re.compile(r"```diff\n--- (\S+)\n (.*?)\n\+(.*?)\n", re.DOTALL)
VERIFY = ("-m", "node", "models", "verify", "ct_smooth")
ROUTES = re.compile(r"```yaml\n(routes:\n.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages to which the page was applied."""
    tree = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tree / package, ignore=ignored)
    for path, content in FILE.findall(PAGE):
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text(content, encoding="utf-8")
    digest = run(tree, "make_weights.py").strip()
    card = tree / "pipelines" / "ct_smooth" / "card.yaml"
    card.write_text(card.read_text().replace("@SHA256@", digest))
    for path, before, added in DIFF.findall(PAGE):
        text = (tree / path).read_text()
        assert f"{before}\n" in text
        (tree / path).write_text(text.replace(f"{before}\n", f"{before}\n{added}\n"))
    return tree


def run(tree: Path, *command: str, code: int = 0) -> str:
    """Run Python in that tree until it ends with that code; gives what it prints."""
    done = subprocess.run(
        [sys.executable, *command], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout or done.stderr


def processed(tree: Path, sources: Path, out: Path, *options: str) -> dict[str, Any]:
    """The node's answer for the only series of a folder."""
    answered = run(tree, "-m", "node", "process", str(sources), str(out), "--json", *options)
    (answer,) = json.loads(answered)["answers"]
    return dict(answer)


def test_its_weights_are_those_of_the_card(tree: Path) -> None:
    assert "ct_smooth" in run(tree, *VERIFY)


def test_a_series_goes_the_whole_way(tree: Path, tmp_path: Path) -> None:
    sources = write_ct_series(tmp_path / "in", slices=4)
    answer = processed(tree, tmp_path / "in", tmp_path / "out", "--pipeline", "ct_smooth")
    assert (answer["state"], answer["qc"]) == ("WRITTEN", "GREEN")
    made = sorted((tmp_path / "out").rglob("DEN-*.dcm"))
    for source, path in zip(sources, made, strict=True):
        before, after = hounsfield(source), hounsfield(path)
        assert np.abs(after - uniform_filter(before, 3)).max() <= 1.0
        assert is_synthetic(pydicom.dcmread(path))
        assert dciodvfy_errors(path) == []


def test_its_gate_refuses(tree: Path, tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=4, ImageType=["DERIVED", "SECONDARY"])
    answer = processed(tree, tmp_path / "in", tmp_path / "out", "--config", config(tmp_path))
    assert (answer["state"], answer["files"]) == ("REFUSED", [])
    assert "DERIVED" in answer["reason"]


def test_its_route_takes_a_series(tree: Path, tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=4)
    answer = processed(tree, tmp_path / "in", tmp_path / "out", "--config", config(tmp_path))
    assert (answer["route"], answer["state"]) == ("smooth", "WRITTEN")


@pytest.mark.orthanc
def test_the_whole_node_takes_it_and_sends_it_back(tree: Path, tmp_path: Path) -> None:
    """From a real Orthanc by C-STORE and back, by the page's route."""
    paths = write_ct_series(tmp_path / "in", slices=4)
    (routes,) = ROUTES.findall(PAGE)
    with running_site(tmp_path, yaml.safe_load(routes)["routes"], tree) as site:
        (job,) = site.finished_jobs(site.send(paths))
        assert (job["state"], job["pipeline"]) == ("COMMITTED", "ct_smooth"), job["reason"]
        derived = {series: site.retrieve(series) for series in job["derived_series"]}
        assert {str(f[0].Modality): len(f) for f in derived.values()} == {"CT": 4, "SR": 1, "PR": 1}
        check_validators(paths, derived, tmp_path)
        picture = requests.get(f"{site.url}/jobs/{job['id']}/pictures/after/1.png", timeout=60)
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("part", catalog.PARTS)
def test_a_part_that_was_forgotten_is_named(tree: Path, part: str) -> None:
    pipeline = tree / "pipelines" / "ct_smooth"
    (pipeline / f"{part}.py").rename(pipeline / "away")
    try:
        assert f"pipelines/ct_smooth lacks {part}.py" in run(tree, *VERIFY, code=1)
    finally:
        (pipeline / "away").rename(pipeline / f"{part}.py")


@pytest.mark.parametrize(
    ("part", "fault", "sentence"),
    [
        ("gate", "import gone", "gate.py cannot be imported (ModuleNotFoundError: No module named"),
        ("recognition", "del KINDS", "recognition.py lacks KINDS"),
        ("recognition", "def (", "recognition.py cannot be imported (SyntaxError: invalid syntax"),
        ("pipeline", "load = gone", "pipeline.py cannot be imported (NameError: name 'gone'"),
    ],
)
def test_a_part_that_does_not_work_is_named(
    tree: Path, tmp_path: Path, part: str, fault: str, sentence: str
) -> None:
    path = tree / "pipelines" / "ct_smooth" / f"{part}.py"
    right = path.read_text()
    write_ct_series(tmp_path / "in", slices=3)
    process = ("process", str(tmp_path / "in"), str(tmp_path / "out"), "--pipeline", "ct_smooth")
    try:
        path.write_text(f"{right}\n{fault}\n")
        said = run(tree, *VERIFY[:-1], code=1)
        assert f"ct_smooth: pipelines/ct_smooth/{sentence}" in said
        assert said.count(" OK ") == len(catalog.names())  # the others
        if part == "pipeline":  # jobs of the others are done
            assert sentence in run(tree, "-m", "node", *process, "--json", code=1)
        else:  # every series is held against these: the node does not start
            checked = run(tree, "-m", "node", "check", "--config", config(tmp_path), code=1)
            assert f"line 4: pipelines/ct_smooth/{sentence}" in checked
    finally:
        path.write_text(right)


@pytest.mark.parametrize(
    ("path", "wrong", "sentence"),
    [
        ("pipelines/ct_smooth/card.yaml", "name: another\n", "should have that name"),
        ("dicom_profiles/writers.py", "", "No profile writes the output of 'ct_smooth'"),
    ],
)
def test_a_wrong_line_is_named(tree: Path, path: str, wrong: str, sentence: str) -> None:
    right = (tree / path).read_text()
    (line,) = (one for one in right.splitlines(keepends=True) if "ct_smooth" in one)
    (tree / path).write_text(right.replace(line, wrong))
    try:
        assert sentence in run(tree, *VERIFY, code=1)
    finally:
        (tree / path).write_text(right)


def config(folder: Path) -> str:
    """A configuration with the page's route."""
    (routes,) = ROUTES.findall(PAGE)
    path = folder / "node.yaml"
    path.write_text(f"node: {{data_dir: {folder / 'data'}}}\n{routes}")
    return str(path)


def hounsfield(path: Path) -> npt.NDArray[np.float32]:
    """Pixels in HU."""
    ds = pydicom.dcmread(path)
    return np.asarray(ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept, np.float32)
