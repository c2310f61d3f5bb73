from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.mr_to_ct.models import load_models, read_networks
from pipelines.mr_to_ct.quality import read_calibration
from trainers.mr_to_ct import make_mode, read_settings, read_stacks, train
from trainers.publishing.mr_to_ct import main, pin
from trainers.readers.mr_ct import MrCtSeries, save_prepared
from trainers.training.run import Run

CARD = 'weights:\n  file: weights.safetensors\n  sha256: "00"\n'


def test_runs_become_one_file_of_weights(tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "card.yaml").write_text(CARD)
    random = np.random.default_rng(0)
    for index in range(2):
        image = random.uniform(1, 900, (3, 40, 40)).astype(np.float32)
        series = MrCtSeries(f"p{index}", {"T1": image, "IP": image}, image - 400, 1.0, 3.0)
        save_prepared(series, tmp_path / "kept")
    source = f"prepared:{tmp_path / 'kept'}"
    small = {"width": 4, "device": "cpu", "steps": 1, "batch": 1, "patch": 32}
    settings = {
        "t1": read_settings("t1", small | {"context": 1}),
        "in_phase": read_settings("in_phase_supervised", small | {"pixel_mm": 1.0}),
    }
    for name, own in settings.items():
        with Run(own, tmp_path / name) as run:
            train(run, make_mode(run, own), read_stacks([source], own), [])
    runs = [f"{name}={tmp_path / name}" for name in settings]
    known = [f"{name}={source}" for name in settings]
    assert main([*runs, "--known", *known, "--folder", str(folder)]) == 0
    content = (folder / "weights.safetensors").read_bytes()
    designs = {name: design for name, (design, _) in read_networks(content).items()}
    assert (designs["t1"].planes, designs["in_phase"].inputs) == (3, ("IP",))
    models = load_models(content, "cpu", 1)
    assert set(models) == {("T1",), ("IP",)}
    assert set(read_calibration(folder).known) == set(settings)
    assert str(tmp_path) not in json.dumps(json.loads((folder / "calibration.json").read_text()))
    assert '"00"' not in (folder / "card.yaml").read_text()
    before = json.loads((folder / "calibration.json").read_text())
    again = ["--known", known[0], "--folder", str(folder)]
    assert main([runs[0], *again]) == 0  # one model anew: the other one stays
    assert (folder / "weights.safetensors").read_bytes() == content
    assert json.loads((folder / "calibration.json").read_text()) == before
    with pytest.raises(SystemExit):
        main([runs[1], *again])


def test_a_card_without_a_place_for_the_digest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("name: x\n")
    with pytest.raises(ValueError, match="one line with sha256"):
        pin(tmp_path, b"")
