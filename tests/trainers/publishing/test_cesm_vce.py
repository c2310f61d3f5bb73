from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.cesm_vce.framing import framed
from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.pipeline import network_of
from pipelines.cesm_vce.quality import features_of, read_calibration
from tests.mammograms import breast
from tests.trainers.cesm.test_pairs import some_pairs
from trainers.cesm.pairs import save
from trainers.publishing import cesm_vce as publish_cesm_vce


def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: str) -> Path:
    monkeypatch.setattr(publish_cesm_vce, "DRAWS", 12)
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "card.yaml").write_text(card)
    torch.manual_seed(0)
    save_file(build("folded_unet").state_dict(), tmp_path / "trained.safetensors")
    save(some_pairs(), tmp_path / "simulated_2_1.npz")
    known = ["--known", "simulated:2", "--kept", str(tmp_path), "--folder", str(folder)]
    publish_cesm_vce.main([str(tmp_path / "trained.safetensors"), *known])
    return folder


def test_weights_calibration_and_card_belong_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(tmp_path, monkeypatch, 'weights:\n  file: x\n  sha256: "00"\nname: y\n')
    weights = (folder / "weights.safetensors").read_bytes()
    assert f'sha256: "{hashlib.sha256(weights).hexdigest()}"' in (folder / "card.yaml").read_text()
    network_of(weights)
    calibration = read_calibration(folder)
    known = calibration.distance(features_of(framed(breast(160, 96))))
    assert known < calibration.red_distance
    assert calibration.red_distance == pytest.approx(2 * calibration.amber_distance, rel=1e-3)
    assert 0.004 <= calibration.amber_unsureness <= calibration.red_unsureness / 2
    assert json.loads((folder / "calibration.json").read_text())["known"] == ["simulated:2"]


def test_a_card_without_digest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="one line with sha256"):
        publish(tmp_path, monkeypatch, "name: y\n")
