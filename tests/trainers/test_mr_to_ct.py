from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.mr_to_ct.generators import MultiGenerator, SingleGenerator
from tests.trainers.test_mr_ct_patches import a_pair
from trainers.mr_ct_patches import Stack
from trainers.mr_to_ct import (
    CONFIGURATIONS,
    CycleGan,
    Settings,
    Supervised,
    design_of,
    learning_rate,
    read_settings,
    read_stacks,
    save,
    train,
)
from trainers.readers.mr_ct import MrCtSeries, save_prepared

PAPER = {
    "all_in": ("All-in", "single", ["IP", "OOP"]),
    "in_phase": ("In-phase", "single", ["IP"]),
    "in_phase_plus": ("In-phase+", "single", ["IP", "T1"]),
    "t2": ("T2", "single", ["T2"]),
    "in_n_out": ("In'n'out", "multi", ["IP", "OOP"]),
    "in_n_out_hum": ("In'n'out HUM", "multi", ["IP", "OOP"]),
    "triple": ("Triple", "multi", ["IP", "OOP", "T2"]),
}
SMALL: dict[str, Any] = {"width": 4, "patch": 32, "batch": 1, "pool": 2, "device": "cpu"}


@pytest.mark.parametrize("name", PAPER)
def test_the_seven_configurations_build_the_papers_networks(name: str) -> None:
    title, generator, modalities = PAPER[name]
    settings = read_settings(name, SMALL)
    assert (settings.title, settings.mode, settings.generator) == (title, "cyclegan", generator)
    assert sorted({key for sample in settings.samples for key in sample}) == sorted(modalities)
    run = CycleGan(settings)
    assert len(run.critics) == 1 + len(settings.inputs)  # one for CT, one for each modality
    assert len(run.backward.branches) == len(settings.inputs)
    assert isinstance(run.network, MultiGenerator if generator == "multi" else SingleGenerator)


def test_the_papers_width_and_losses_are_the_defaults() -> None:
    settings = read_settings("in_n_out", {})
    assert (settings.width, settings.norm, settings.cycle, settings.pool) == (
        64,
        "instance",
        10,
        50,
    )
    assert (settings.rate, settings.batch, settings.patch) == (2e-4, 1, 256)


def test_an_unknown_setting_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("title: odd\nwidht: 3\n")
    with pytest.raises(ValueError, match="widht"):
        read_settings(str(path), {})


def pair_of_phases() -> Stack:
    pair = a_pair()
    assert pair.mr is not None
    return Stack("p", np.concatenate([pair.mr, 0.5 * pair.mr]), pair.ct)


def test_a_cyclegan_step_moves_every_network() -> None:
    run = CycleGan(read_settings("in_n_out", SMALL))
    before = {name: [p.clone() for p in m.parameters()] for name, m in run.modules.items()}
    losses = run.update([pair_of_phases()], np.random.default_rng(0))
    assert set(losses) == {"game", "cycle", "critics"}
    for name, module in run.modules.items():
        moved = [
            not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True)
        ]
        assert any(moved), name


def test_the_unpaired_game_takes_mr_and_ct_of_different_patients() -> None:
    pair = pair_of_phases()
    stacks = [Stack("mr", pair.mr, None), Stack("ct", None, pair.ct)]
    losses = CycleGan(read_settings("in_n_out", SMALL)).update(stacks, np.random.default_rng(0))
    assert np.isfinite(list(losses.values())).all()


def test_supervised_training_learns_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    settings = Settings(
        width=4, patch=32, batch=4, steps=24, save_every=12, device="cpu", rate=3e-3
    )
    torch.manual_seed(0)
    run = Supervised(settings)
    train(run, [a_pair()], [a_pair()], tmp_path)
    assert (tmp_path / "weights.safetensors").exists()
    torch.manual_seed(0)
    halfway = Supervised(settings)
    losses = [
        halfway.update([a_pair()], np.random.default_rng([settings.seed, step]))["mae_hu"]
        for step in range(12)
    ]
    assert losses[-1] < losses[0]
    (tmp_path / "half").mkdir()
    save(halfway, tmp_path / "half")
    on = Supervised(settings)
    on.resume(torch.load(tmp_path / "half" / "checkpoint.pt", weights_only=True))
    train(on, [a_pair()], [], tmp_path / "half")
    for first, second in zip(run.averaged.parameters(), on.averaged.parameters(), strict=True):
        torch.testing.assert_close(first, second)
    assert design_of(read_settings(str(tmp_path / "settings.yaml"), {})) == design_of(settings)


def test_samples_are_made_as_the_configuration_says(tmp_path: Path) -> None:
    image = np.random.default_rng(0).uniform(1, 900, (2, 40, 40)).astype(np.float32)
    series = MrCtSeries("p", {"IP": image, "OOP": image}, image, 1.5, 5.0)
    save_prepared(series, tmp_path)
    source = [f"prepared:{tmp_path}"]
    assert len(read_stacks(source, read_settings("all_in", {}))) == 2
    (both,) = read_stacks(source, read_settings("in_n_out", {}))
    assert both.mr is not None
    assert len(both.mr) == 2
    assert read_stacks(source, read_settings("t2", {})) == []


def test_rates() -> None:
    settings = Settings(steps=100, warmup=10, rate=1.0)
    assert learning_rate(0, settings) < learning_rate(9, settings)
    assert learning_rate(99, settings) < 0.02
    level = Settings(mode="cyclegan", steps=100, rate=1.0)
    assert learning_rate(40, level) == 1.0
    assert learning_rate(75, level) == pytest.approx(0.5)


def test_every_file_of_the_folder_is_a_configuration() -> None:
    assert {path.stem for path in CONFIGURATIONS.glob("*.yaml")} >= set(PAPER)
    for path in CONFIGURATIONS.glob("*.yaml"):
        assert read_settings(path.stem, {}).title
