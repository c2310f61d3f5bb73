from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.catalog import weights_path
from tests.servers import free_port
from tests.trainers.phantom_series import phantom_series, write_nifti
from trainers.ldct_denoise import (
    Players,
    Settings,
    kept_stack,
    loss_of,
    main,
    read_source,
    read_stacks,
    train,
    update,
)
from trainers.readers.series import TrainingSeries
from trainers.simulation.noise_bank import Stack, build_stack, draw_patches
from trainers.training.errors import SettingsError, SourceError
from trainers.training.feeding import as_tensors
from trainers.training.randomness import random_of
from trainers.training.run import Run

LOWERED = 0.97
SETTINGS = Settings(steps=20, batch=4, patch=32, warmup=2, draws=3, save_every=10, device="cpu")


@pytest.fixture(scope="module")
def stack() -> Stack:
    random = np.random.default_rng(0)
    return build_stack(phantom_series(), every=2, draws=3, weight=1.0, random=random)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "weights.safetensors"))


def same(first: Path, second: Path) -> bool:
    one, two = weights(first), weights(second)
    return all(torch.equal(value, two[key]) for key, value in one.items())


def loss_on_fixed_patches(players: Players, stack: Stack) -> float:
    patches = draw_patches([stack], 16, 32, np.random.default_rng(99))
    with torch.no_grad():
        output = players.network(torch.from_numpy(patches.low))
    sigma = torch.from_numpy(patches.inserted_sigma)
    return float(loss_of(output, torch.from_numpy(patches.full), sigma))


def trained(settings: Settings, out: Path, stack: Stack, *, resume: bool = False) -> Players:
    with Run(settings, out) as run:
        players = Players.of(run, settings)
        if resume:
            run.resume()
            assert run.step == 3
        train(run, players, [stack], [])
    return players


def test_twenty_steps_from_trained_weights_lower_the_loss_and_are_saved(
    stack: Stack, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, rate=3e-4, average=0.5)
    with Run(settings, tmp_path) as run:
        players = Players.of(run, settings)
        players.denoiser.start_from(load_file(weights_path("ldct_denoise")))
        before = loss_on_fixed_patches(players, stack)
        train(run, players, [stack], [stack])
    assert loss_on_fixed_patches(players, stack) < LOWERED * before
    for key, value in players.averaged.state_dict().items():
        assert torch.equal(weights(tmp_path)[key], value)
    assert list((tmp_path / "tensorboard").iterdir())
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("adversarial", [0.0, 0.01])
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    stack: Stack, tmp_path: Path, adversarial: float
) -> None:
    settings = replace(SETTINGS, steps=6, save_every=3, adversarial=adversarial)
    trained(settings, tmp_path / "whole", stack)
    with Run(settings, tmp_path / "stopped") as run:
        players = Players.of(run, settings)
        for step in range(3):
            random = random_of(settings.seed, 0, step)
            drawn = draw_patches([stack], settings.batch, settings.patch, random)
            update(run, players, [as_tensors(vars(drawn), pin=False)])
        run.step = 3
        run.save(players.denoiser.weights())
    trained(settings, tmp_path / "stopped", stack, resume=True)
    assert same(tmp_path / "whole", tmp_path / "stopped")


def test_the_adversarial_term_trains_critic_and_network(stack: Stack, tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=2, adversarial=0.1)
    with Run(settings, tmp_path) as run:
        players = Players.of(run, settings)
        assert players.critic is not None
        critic = players.critic.networks
        before = [p.detach().clone() for p in critic.parameters()]
        train(run, players, [stack], [])
    moved = [not torch.equal(a, b) for a, b in zip(critic.parameters(), before, strict=True)]
    assert any(moved)


def test_errors_in_soft_tissue_count_most_and_in_proportion_to_noise() -> None:
    sigma = torch.tensor([20.0])
    losses = [
        float(loss_of(torch.full((1, 1, 4, 4), hu + 10), torch.full((1, 1, 4, 4), hu), sigma))
        for hu in (50.0, -700.0, -1000.0)
    ]
    assert losses[0] == pytest.approx(100 / 26**2)
    assert losses[0] > losses[1] > losses[2] > 0


def test_sources_of_every_kind_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("A_CT", "B_CT"):
        write_nifti(phantom_series(3, name=name), folder)
    assert [series.patient for series in read_source(str(folder), "")] == ["A", "B"]
    assert [series.name for series in read_source(str(folder / "B_CT.nii.gz"), "")] == ["B_CT"]


def test_the_bank_is_used_again_with_the_weight_that_is_asked_for(tmp_path: Path) -> None:
    path = write_nifti(phantom_series(3), tmp_path)
    made = read_stacks([f"p=2@{path}"], SETTINGS, tmp_path / "bank")[0]
    written = (tmp_path / "bank" / "phantom.npz").stat().st_mtime_ns
    again = kept_stack(read_source(str(path), "")[0], 7.0, SETTINGS, tmp_path / "bank")
    assert (tmp_path / "bank" / "phantom.npz").stat().st_mtime_ns == written
    assert (made.weight, again.weight) == (2.0, 7.0)
    np.testing.assert_array_equal(made.noise, again.noise)


@pytest.mark.parametrize("changed", [phantom_series(3, seed=1), phantom_series(2)])
def test_a_stack_of_other_images_is_not_taken_from_the_bank(
    tmp_path: Path, changed: TrainingSeries
) -> None:
    kept_stack(phantom_series(3), 1.0, SETTINGS, tmp_path)
    stack = kept_stack(changed, 1.0, SETTINGS, tmp_path)
    np.testing.assert_allclose(stack.slices, changed.slices, atol=0.5)


def test_a_stack_with_other_noise_is_not_taken_from_the_bank(tmp_path: Path) -> None:
    kept_stack(phantom_series(3), 1.0, SETTINGS, tmp_path)
    more = kept_stack(phantom_series(3), 1.0, replace(SETTINGS, draws=4), tmp_path)
    fewer = kept_stack(phantom_series(3), 1.0, replace(SETTINGS, every=2), tmp_path)
    assert (more.noise.shape[:2], fewer.noise.shape[:2]) == ((3, 4), (2, 3))


def test_two_patients_of_one_name_are_refused(tmp_path: Path) -> None:
    """Else the second one's noise would be the first one's, found in the bank."""
    sources = []
    for seed, patient in enumerate(("a", "b")):
        (tmp_path / patient).mkdir()
        sources.append(str(write_nifti(phantom_series(3, seed=seed), tmp_path / patient)))
    with pytest.raises(SourceError, match="'phantom' comes twice"):
        read_stacks(sources, SETTINGS, tmp_path / "bank")
    known = read_stacks(sources[:1], SETTINGS, tmp_path / "bank")
    with pytest.raises(SourceError, match="'phantom' comes twice"):
        read_stacks(sources[1:], SETTINGS, tmp_path / "bank", known)


@pytest.mark.parametrize("weight", ["heavy", "0", "-1", "nan"])
def test_a_weight_that_is_none_is_refused(tmp_path: Path, weight: str) -> None:
    source = f"p={weight}@{write_nifti(phantom_series(3), tmp_path)}"
    with pytest.raises(SourceError, match="A weight is a number above 0"):
        read_stacks([source], SETTINGS, tmp_path / "bank")


@pytest.mark.parametrize("wrong", [{"draws": 2}, {"every": 0}, {"patch": 0}, {"rate": -1.0}])
def test_knobs_that_cannot_be_used_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"--{next(iter(wrong))} takes"):
        replace(SETTINGS, **wrong)


def test_the_command_says_what_it_takes() -> None:
    command = [sys.executable, "-m", "trainers.ldct_denoise", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "--adversarial" in shown.stdout
    assert "torchrun" in shown.stdout


def test_the_command_trains_in_a_process_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    for name, value in (group | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(name, value)
    source = str(write_nifti(phantom_series(3), tmp_path))
    knobs = ["--steps=2", "--batch=2", "--patch=32", "--draws=3", "--adversarial=0.01"]
    main(["--train", source, "--out", str(tmp_path / "run"), *knobs])
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 2
    assert set(state["parts"]) == {"denoiser", "critic", "stopping"}
    assert not torch.distributed.is_initialized()
