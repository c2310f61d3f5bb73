from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.mr_to_ct.generators import MultiGenerator, SingleGenerator
from pipelines.mr_to_ct.networks import build
from tests.trainers.mr_ct.test_patches import a_pair
from trainers.mr_ct.patches import Stack
from trainers.mr_to_ct import (
    CONFIGURATIONS,
    SETTINGS,
    CycleGan,
    Settings,
    Supervised,
    configured,
    design_of,
    main,
    make_mode,
    read_settings,
    read_stacks,
    validate,
)
from trainers.readers.mr_ct import MrCtSeries, save_prepared
from trainers.training.errors import SettingsError, SourceError
from trainers.training.run import WEIGHTS, Run

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
def test_the_seven_configurations_build_the_papers_networks(name: str, tmp_path: Path) -> None:
    title, generator, modalities = PAPER[name]
    settings = read_settings(name, SMALL)
    assert (settings.title, settings.mode, settings.generator) == (title, "cyclegan", generator)
    assert sorted({key for sample in settings.samples for key in sample}) == sorted(modalities)
    with Run(settings, tmp_path) as run:
        mode = CycleGan(run, settings)
    assert len(mode.critics) == 1 + len(settings.inputs)  # one for CT, one for each modality
    assert len(mode.backward.branches) == len(settings.inputs)
    assert isinstance(mode.network, MultiGenerator if generator == "multi" else SingleGenerator)


@pytest.mark.parametrize("name", ["in_n_out", "in_phase"])
def test_the_game_begins_with_air_on_both_sides(name: str, tmp_path: Path) -> None:
    settings = read_settings(name, SMALL)
    with Run(settings, tmp_path) as run:
        mode = CycleGan(run, settings)
    planes = torch.rand(1, len(settings.inputs), 32, 32)
    for network in (mode.network, mode.learner.best("network")):
        made = network(planes).detach()
        assert float(made.mean()) == pytest.approx(settings.window_hu[0], abs=100)


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
    with pytest.raises(SettingsError, match="widht"):
        read_settings(str(path), {})


def test_an_unknown_configuration_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"one of .*in_n_out.*, got 'in_and_out'"):
        read_settings("in_and_out", {})


def pair_of_phases() -> Stack:
    pair = a_pair()
    assert pair.mr is not None
    return Stack("p", np.concatenate([pair.mr, 0.5 * pair.mr]), pair.ct)


def one_step(
    settings: Settings, stacks: list[Stack], out: Path
) -> tuple[CycleGan, dict[str, float]]:
    """A CycleGAN after a step, and its losses."""
    with Run(settings, out) as run:
        mode = CycleGan(run, settings)
        drawn = mode.draw(stacks, np.random.default_rng(0))
        mode.update([{name: torch.as_tensor(value) for name, value in drawn.items()}])
        return mode, {name: float(values[-1]) for name, values in run._told.items()}


def test_a_cyclegan_step_moves_every_network(tmp_path: Path) -> None:
    settings = replace(read_settings("in_n_out", SMALL), steps=2)
    with Run(settings, tmp_path / "fresh") as run:
        fresh = CycleGan(run, settings)
    stepped, losses = one_step(settings, [pair_of_phases()], tmp_path / "stepped")
    assert set(losses) == {"game", "cycle", "critics"}
    for part in ("network", "backward", "critics"):
        before, after = (getattr(mode, part).parameters() for mode in (fresh, stepped))
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), part


def test_the_unpaired_game_takes_mr_and_ct_of_different_patients(tmp_path: Path) -> None:
    pair = pair_of_phases()
    stacks = [Stack("mr", pair.mr, None), Stack("ct", None, pair.ct)]
    _, losses = one_step(read_settings("in_n_out", SMALL), stacks, tmp_path)
    assert np.isfinite(list(losses.values())).all()


def prepared(folder: Path, patient: str = "p") -> str:
    """A source with one pair."""
    pair = a_pair()
    assert pair.mr is not None
    save_prepared(MrCtSeries(patient, {"T1": 700 * pair.mr[0]}, pair.ct, 1.0, 3.0), folder)
    return f"prepared:{folder}"


def trained(source: str, out: Path, *words: str) -> dict[str, torch.Tensor]:
    """Weights after a run of the command."""
    knobs = ["--width=4", "--patch=32", "--batch=4", "--save-every=12", "--rate=0.003"]
    held_out = prepared(out.parent / "held_out", "q")
    sides = ["--train", source, "--validate", held_out, "--out", str(out), "--device=cpu"]
    main(["--configuration", "t1", *sides, *knobs, *words])
    return load_file(out / WEIGHTS)


def test_supervised_training_learns(tmp_path: Path) -> None:
    source = prepared(tmp_path / "pairs")
    whole = trained(source, tmp_path / "whole", "--steps=24")
    torch.manual_seed(0)
    start = build(design_of(read_settings("t1", {"width": 4}))).eval()
    learned = build(design_of(read_settings("t1", {"width": 4}))).eval()
    learned.load_state_dict(whole)
    assert validate(learned, a_pair(), 2) < validate(start, a_pair(), 2)
    settings = read_settings(str(tmp_path / "whole" / SETTINGS), {})
    assert design_of(settings) == design_of(read_settings("t1", {"width": 4}))


def test_a_resumed_run_gives_the_weights_of_a_whole_one(tmp_path: Path) -> None:
    source = prepared(tmp_path / "pairs")
    settings = read_settings("t1", SMALL | {"batch": 2, "steps": 6, "save_every": 3})
    stacks = read_stacks([source], settings)
    for name, stops in (("whole", (6,)), ("parts", (3, 6))):
        for stop in stops:
            with Run(settings, tmp_path / name) as run:
                mode = make_mode(run, settings)
                if (tmp_path / name / "checkpoint.pt").exists():
                    run.resume()
                for batches in run.steps(partial(mode.draw, stacks)):
                    mode.update(batches)
                    if run.due:
                        run.report(mode.learner.weights(network=""))
                    if run.step == stop:
                        break
    whole, parts = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "parts"))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor)


def test_a_run_against_the_grid_tells_its_height_and_leaves_the_surroundings_alone(
    tmp_path: Path,
) -> None:
    changes = SMALL | {"norm": "none", "evenness": 1e6, "rate": 0.01, "warmup": 1, "steps": 12}
    settings = read_settings("in_n_out_supervised", changes)
    drawn = {name: torch.ones(1, 2, 32, 32) for name in ("mr",)}
    drawn |= {"ct": torch.full((1, 1, 32, 32), 40.0), "weight": torch.ones(1, 1, 32, 32)}
    with Run(settings, tmp_path) as run:
        mode = Supervised(run, settings)
        for _ in range(settings.steps):
            mode.update([drawn])
        heights = [float(value) for value in run._told["grid_hu"]]
        assert heights[-1] < 0.75 * heights[0]
        mode.update([drawn | {"ct": torch.full((1, 1, 32, 32), -900.0)}])  # air
        assert float(run._told["grid_hu"][-1]) == 0.0


def test_it_starts_from_given_weights(tmp_path: Path) -> None:
    source = prepared(tmp_path / "pairs")
    first = trained(source, tmp_path / "first", "--steps=12")
    start = str(tmp_path / "first" / WEIGHTS)
    second = trained(source, tmp_path / "second", "--steps=1", "--rate=1e-9", "--start", start)
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_patient_is_on_one_side(tmp_path: Path) -> None:
    """Else early stopping waits until the patient is known by heart."""
    train, validate = prepared(tmp_path / "a", "p"), prepared(tmp_path / "b", "p")
    words = ["--configuration", "t1", "--train", train, "--validate", validate]
    with pytest.raises(SourceError, match="--train or in --validate, got p in both"):
        main([*words, "--out", str(tmp_path / "run")])


def test_with_nothing_to_train_on_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--configuration", "t1", "--out", str(tmp_path)])
    assert "name --train SOURCE or --data DIR" in capsys.readouterr().err


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


def test_every_file_of_the_folder_is_a_configuration() -> None:
    assert {path.stem for path in CONFIGURATIONS.glob("*.yaml")} >= set(PAPER)
    for path in CONFIGURATIONS.glob("*.yaml"):
        assert read_settings(path.stem, {}).title


@pytest.mark.parametrize("text", ["mode: [a", "just words", "- a\n- b", ""])
def test_a_configuration_that_is_none_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(SettingsError, match="should hold settings as YAML"):
        configured(str(tmp_path / "bad.yaml"))


def test_a_mode_that_there_is_not_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It played the CycleGAN's game."""
    words = ["--configuration", "t1", "--train", "sts:x", "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        main([*words, "--mode", "superviced"])
    assert "supervised or cyclegan, got 'superviced'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "has_mr", "has_ct", "wanted"),
    [
        ("supervised", True, False, "MR and CT of every patient"),
        ("supervised", False, True, "MR and CT of every patient"),
        ("cyclegan", True, False, "no CT is in the sources"),
        ("cyclegan", False, True, "no MR is in the sources"),
    ],
)
def test_sources_without_what_a_mode_learns_from_are_refused(
    tmp_path: Path, mode: str, has_mr: bool, has_ct: bool, wanted: str
) -> None:
    image = np.ones((2, 40, 40), np.float32)
    mr, ct = {"T1": image} if has_mr else {}, image if has_ct else None
    save_prepared(MrCtSeries("p", mr, ct, 1.5, 5.0), tmp_path / "pairs")
    words = ["--configuration", "t1", "--mode", mode, "--train", f"prepared:{tmp_path / 'pairs'}"]
    with pytest.raises(SourceError, match=wanted):
        main([*words, "--out", str(tmp_path / "run")])
