from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml

from dicom_profiles.deidentification.data_set import changed_series, read_data_set
from dicom_profiles.deidentification.pseudonyms import kept_salt
from node.__main__ import main
from pipelines.card import read_card
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors
from tests.node.gathering.patients import SLICES, WORDS, fill, series
from tests.servers import OrthancServer
from tests.synthetic import break_ctdi

SALT = b"the salt of the tests, 32 bytes. 0"
pytestmark = pytest.mark.orthanc


def configured(orthanc: OrthancServer, folder: Path, **peer: Any) -> Path:
    """node.yaml of a node that knows the PACS and has a route."""
    known = {
        "name": "pacs",
        "ae_title": orthanc.ae_title,
        "host": "127.0.0.1",
        "port": orthanc.dicom_port,
    }
    route = {"name": "chest", "pipeline": "ldct_denoise"}
    when = {"Modality": "CT", "SeriesDescription": {"matches": "LOW DOSE"}}
    config = {
        "node": {"ae_title": "VSCANNER", "data_dir": str(folder / "node")},
        "peers": [known | peer],
        "routes": [route | {"when": when, "send_to": ["pacs"]}],
    }
    path = folder / "node.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def gathered(config: Path, data: Path, *words: str) -> int:
    asked = ["--from", "pacs", "--config", str(config), "--data", str(data), *words]
    return main(["train", "ldct_denoise", *asked, "--gather-only"])


def assert_nobody_is_in(folder: Path, uids: set[str]) -> None:
    for path in [one for one in folder.rglob("*") if one.is_file()]:
        content = str(path.relative_to(folder)).encode() + path.read_bytes()
        assert not [word for word in WORDS if word.encode() in content.lower()], path
        assert not [uid for uid in uids if uid.encode() in content], path


@pytest.mark.parametrize("by", ["dicomweb", "dimse"])
def test_a_data_set_is_gathered_from_a_real_pacs(
    orthanc: OrthancServer, tmp_path: Path, by: str, capfd: pytest.CaptureFixture[str]
) -> None:
    uids = fill(orthanc, tmp_path / "in")
    config = configured(orthanc, tmp_path, dicomweb=orthanc.dicomweb)
    assert gathered(config, tmp_path / "set", "--by", by) == 0
    data_set = read_data_set(tmp_path / "set")
    assert len(data_set.series) == 3
    assert {series.role for series in data_set.series} == {"CT"}
    assert [series.instances for series in data_set.series] == [SLICES] * 3
    assert data_set.left_out == {
        "It is synthetic.": 1,
        "The archive's index speaks against it.": 1,
        "Burned In Annotation (0028,0301) is YES.": 1,
    }
    assert changed_series(data_set.series, tmp_path / "set") == []
    assert_nobody_is_in(tmp_path / "set", uids)
    for kept in data_set.series:
        paths = sorted((tmp_path / "set" / kept.folder).iterdir())
        assert [error for path in paths for error in dciodvfy_errors(path)] == []
        assert dcentvfy_errors(paths) == []
    assert not (tmp_path / "node" / "gathering").exists()
    shown = capfd.readouterr()
    assert not [word for word in WORDS if word in (shown.out + shown.err).lower()]


def test_gathering_again_changes_nothing_and_a_limit_holds(
    orthanc: OrthancServer, tmp_path: Path
) -> None:
    fill(orthanc, tmp_path / "in")
    config = configured(orthanc, tmp_path, dicomweb=orthanc.dicomweb)
    assert gathered(config, tmp_path / "set", "--studies", "1") == 0
    assert len(read_data_set(tmp_path / "set").series) == 1
    assert gathered(config, tmp_path / "set") == 0
    whole = read_data_set(tmp_path / "set")
    assert gathered(config, tmp_path / "set", "--by", "dimse") == 0
    again = read_data_set(tmp_path / "set")
    assert (again.sha256, len(again.series)) == (whole.sha256, 3)
    salt = kept_salt(tmp_path / "node" / "training.salt")
    assert {salt.split("MRN-7741239"), salt.split("MRN-5552081"), salt.split("MRN-3120944")} == {
        series.split for series in whole.series
    }
    assert gathered(config, tmp_path / "other", "--dates", "19990101-19991231") == 1
    assert read_data_set(tmp_path / "other").series == ()


def test_without_a_route_the_pipelines_own_recognition_decides_and_roles_are_added(
    orthanc: OrthancServer, tmp_path: Path
) -> None:
    fill(orthanc, tmp_path / "in")
    config = configured(orthanc, tmp_path)
    settings = yaml.safe_load(config.read_text())
    settings["routes"] = []
    config.write_text(yaml.safe_dump(settings))
    also = "SCOUT={ImageType: LOCALIZER}"
    assert gathered(config, tmp_path / "set", "--also", also) == 0
    roles = sorted(series.role for series in read_data_set(tmp_path / "set").series)
    assert roles == ["CT", "CT", "CT", "SCOUT"]


def test_an_element_that_cannot_be_read_is_left_out(orthanc: OrthancServer, tmp_path: Path) -> None:
    about = {"PatientName": "Wexcombe^Ada", "PatientID": "MRN-1", "CTDIvol": 1.5}
    for path in series(tmp_path / "in", about, "LOW DOSE CHEST"):
        break_ctdi(path)
        orthanc.upload(path)
    assert gathered(configured(orthanc, tmp_path), tmp_path / "set") == 0
    (found,) = read_data_set(tmp_path / "set").series
    for path in (tmp_path / "set" / found.folder).iterdir():
        assert "CTDIvol" not in pydicom.dcmread(path)


def test_it_is_trained_on_and_the_card_says_so(orthanc: OrthancServer, tmp_path: Path) -> None:
    uids = fill(orthanc, tmp_path / "in")
    config = configured(orthanc, tmp_path, dicomweb=orthanc.dicomweb)
    salt = tmp_path / "salt"  # with this one, two patients are trained on and one validates
    salt.write_bytes(SALT)
    asked = ["--from", "pacs", "--config", str(config), "--data", str(tmp_path / "set")]
    out, knobs = tmp_path / "run", ["--steps=1", "--batch=2", "--patch=32", "--draws=3"]
    where = ["--salt", str(salt), "--out", str(out), "--device=cpu", "--every=3"]
    assert main(["train", "ldct_denoise", *asked, *where, *knobs]) == 0
    card = read_card(out / "card.yaml")
    digest = read_data_set(tmp_path / "set").sha256
    assert [one.used_for for one in card.training.trained_on] == ["training", "validation"]
    assert all(digest in one.citation for one in card.training.trained_on)
    weights = hashlib.sha256((out / "weights.safetensors").read_bytes()).hexdigest()
    assert card.weights.sha256 == weights
    assert_nobody_is_in(out, uids)


def test_what_cannot_be_gathered_is_a_sentence(
    orthanc: OrthancServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(orthanc, tmp_path)
    data = tmp_path / "set"
    cases = (
        (["--by", "dicomweb"], "has no `dicomweb`"),
        (["--also", "PT"], "--also takes ROLE="),
        (["--also", "PT={NoSuchKeyword: 1}"], "NoSuchKeyword"),
    )
    for words, wanted in cases:
        assert gathered(config, data, *words) == 1
        assert wanted in capsys.readouterr().err
    assert main(["train", "ldct_denoise", "--from", "none", "--config", str(config)]) == 1
    assert "--from needs --data" in capsys.readouterr().err
    asked = ["--from", "none", "--config", str(config), "--data", str(data)]
    assert main(["train", "ldct_denoise", *asked]) == 1
    assert "known: pacs" in capsys.readouterr().err


@pytest.mark.parametrize("by", ["dicomweb", "dimse"])
def test_an_archive_that_is_down_is_a_sentence(
    orthanc: OrthancServer, tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {"port": 9, "dicomweb": "http://127.0.0.1:9/dicom-web"}
    config = configured(orthanc, tmp_path, **nobody)
    assert gathered(config, tmp_path / "set", "--by", by) == 1
    assert "is it running" in capsys.readouterr().err


def test_a_set_of_another_pipeline_is_not_mixed(
    orthanc: OrthancServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(orthanc, tmp_path / "in")
    config = configured(orthanc, tmp_path, dicomweb=orthanc.dicomweb)
    assert gathered(config, tmp_path / "set", "--studies", "1") == 0
    path = tmp_path / "set" / "dataset.json"
    path.write_text(path.read_text().replace("ldct_denoise", "mr_to_ct"))
    assert gathered(config, tmp_path / "set") == 1
    assert "one for mr_to_ct" in capsys.readouterr().err
    assert pydicom.misc.is_dicom(next(path.parent.rglob("*.dcm")))
