from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.cesm_vce.network import build
from tests.trainers.cesm.test_pairs import some_pairs
from trainers import cesm_vce
from trainers.cesm.critic import DisplayCritic
from trainers.cesm.generators import read_generator
from trainers.cesm.pairs import draw_batch, save
from trainers.cesm_vce import (
    METHODS,
    Pix2Pix,
    Settings,
    inside_loss,
    make_method,
    rate_of,
    validate,
)
from trainers.training.errors import SourceError
from trainers.training.run import Run


def batch(count: int = 1, side: int = 32) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(0)
    drawn = draw_batch([some_pairs()], count, random)
    step = 256 // side
    return {name: torch.from_numpy(value[..., ::step, ::step]) for name, value in drawn.items()}


@pytest.mark.parametrize("method", [m for m in METHODS if m != "pix2pix"])
def test_each_method_takes_a_step(method: str, tmp_path: Path) -> None:
    settings = Settings(method=method, steps=1, device="cpu", rate=1e-3)
    with Run(settings, tmp_path) as run:
        made = make_method(run, settings)
        before = {k: v.clone() for k, v in made.learner.networks["generator"].state_dict().items()}
        image = made.update((batch(),))
        after = made.learner.networks["generator"].state_dict()
    assert image.shape == (1, 1, 32, 32)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert set(made.learner.weights(generator="")) == set(before)


def test_pix2pix_takes_a_step(tmp_path: Path) -> None:
    settings = Settings(method="pix2pix", steps=1, device="cpu", width=8, critic_width=8)
    with Run(settings, tmp_path) as run:
        made = make_method(run, settings)
        assert isinstance(made, Pix2Pix)
        judge = {k: v.clone() for k, v in made.judge.networks.state_dict().items()}
        # the innermost of its eight levels is one pixel, which batch normalisation needs twice
        made.update((batch(2, side=256),))
        after = made.judge.networks.state_dict()
    assert any(not torch.equal(judge[name], after[name]) for name in judge)


def test_a_narrow_pix2pix_learns_on_a_small_square(tmp_path: Path) -> None:
    settings = Settings(
        method="pix2pix", width=4, square=32, critic_width=4, steps=40, device="cpu", rate=2e-3
    )
    fixed = batch(2)
    with Run(settings, tmp_path) as run:
        made = make_method(run, settings)
        errors = [float((made.update((fixed,)) - fixed["wanted"]).abs().mean()) for _ in range(40)]
    assert np.mean(errors[-5:]) < 0.7 * errors[0]


def test_lesions_are_learnt_first_where_they_count_again(tmp_path: Path) -> None:
    inside = {}
    for method in ("cyclegan", "lesion_cyclegan"):
        settings = Settings(
            method=method, width=2, square=32, critic_width=2, steps=12, device="cpu", rate=4e-3
        )
        fixed = batch(2)
        with Run(settings, tmp_path / method) as run:
            made = make_method(run, settings)
            for _ in range(12):
                image = made.update((fixed,))
        inside[method] = float(inside_loss(image, fixed["wanted"], fixed["lesions"]))
    assert inside["lesion_cyclegan"] < 0.8 * inside["cyclegan"]


def test_lesions_count_only_inside() -> None:
    made, wanted = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    inside = torch.zeros_like(made)
    assert inside_loss(made, wanted, inside) == 0
    inside[..., 1:3, 1:3] = 1
    assert inside_loss(made, wanted, inside) == 1
    made = made.requires_grad_()
    inside_loss(made, wanted, inside).backward()
    assert made.grad is not None
    assert not made.grad[inside == 0].any()
    assert made.grad[inside == 1].all()


def test_every_method_has_its_rate() -> None:
    assert rate_of(Settings(method="cyclegan")) == 1e-5
    assert rate_of(Settings(method="cyclegan", rate=3e-4)) == 3e-4


def test_the_critic_sees_patches() -> None:
    critic = DisplayCritic(2, torch.nn.BatchNorm2d, width=8)
    scores = critic(torch.rand(2, 1, 64, 64), torch.rand(2, 1, 64, 64))
    assert scores.shape == (2, 1, 6, 6)


def test_validation_is_zero_for_a_perfect_network() -> None:
    pairs = some_pairs()

    class Perfect(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1))
            self.calls = 0

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return torch.from_numpy(pairs.recombined[self.calls - 1])[None, None]

    assert validate(Perfect(), [pairs]) == 0


def test_a_run_learns_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(some_pairs(), tmp_path / "kept" / "simulated_2_1.npz")
    save(replace(some_pairs(), patients=("Q0", "Q1")), tmp_path / "kept" / "simulated_2_9.npz")
    command = ["cesm_vce", "--train", "simulated:2", "--validate", "simulated:2", "--kept",
               str(tmp_path / "kept"), "--out", str(tmp_path / "run"), "--batch", "1",
               "--save-every", "4", "--warmup", "1", "--average", "0.5",
               "--device", "cpu"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", [*command, "--steps", "4"])
    cesm_vce.main()
    weights = tmp_path / "run" / "weights.safetensors"
    first = load_file(weights)
    build("folded_unet").load_state_dict(first)
    monkeypatch.setattr(sys, "argv", [*command, "--steps", "6", "--resume"])
    cesm_vce.main()
    again = load_file(weights)
    assert any(not torch.equal(first[name], again[name]) for name in first)


def test_a_run_on_small_squares_can_be_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(some_pairs(), tmp_path / "simulated_2_1.npz")
    save(replace(some_pairs(), patients=("Q0", "Q1")), tmp_path / "simulated_2_9.npz")
    command = ["x", "--train", "simulated:2", "--validate", "simulated:2", "--kept", str(tmp_path),
               "--out", str(tmp_path / "run"), "--batch", "2", "--steps", "1", "--device", "cpu",
               "--method", "lesion_cyclegan", "--width", "4", "--square", "64",
               "--critic-width", "4"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    cesm_vce.main()
    network, size = read_generator(tmp_path / "run" / "weights.safetensors")
    assert (size.width, size.square) == (4, 64)
    assert network(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)


def test_lesions_need_their_own_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["x", "--train", "simulated:1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*command, "--method", "lesion_cyclegan", "--no-paired"])
    with pytest.raises(SystemExit):
        cesm_vce.main()
    assert "--paired" in capsys.readouterr().err


def test_an_unknown_method_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["x", "--train", "simulated:1", "--out", str(tmp_path), "--method", "magic"]
    )
    with pytest.raises(SystemExit):
        cesm_vce.main()
    assert "folded_unet" in capsys.readouterr().err


def test_a_patient_is_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else early stopping waits until the patient is known by heart."""
    for seed in (1, 9):
        save(some_pairs(), tmp_path / f"simulated_2_{seed}.npz")
    command = ["x", "--train", "simulated:2", "--validate", "simulated:2", "--kept", str(tmp_path),
               "--out", str(tmp_path / "run"), "--hold-out", "P1"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SourceError, match="--train or in --validate, got P0 in both"):
        cesm_vce.main()


def test_a_patient_who_is_not_there_cannot_be_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slip of the pen would train on whom the figures are measured."""
    command = ["x", "--train", "simulated:1", "--out", str(tmp_path), "--hold-out", "P6"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SourceError, match="--hold-out, got P6"):
        cesm_vce.main()
