"""The trainer: every method learns a step, goes into the one file, and comes back out of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.ct_to_pet.weights import read_networks
from trainers import ct_to_pet
from trainers.ct_pet.bank import KINDS, Bank
from trainers.ct_pet.patches import Cutting, draw_patches
from trainers.publishing import ct_to_pet as ct_to_pet_weights
from trainers.readers.ct_pet import CubePair
from trainers.training.errors import SettingsError, SourceError
from trainers.training.run import Run


def pair(patient: str = "a") -> CubePair:
    """A leg with a hot spot, on cubes."""
    random = np.random.default_rng(0)
    shape = (40, 40, 40)
    body = np.zeros(shape, np.bool_)
    body[:, 8:32, 8:32] = True
    hu = np.where(body, 0.05, -1.0)
    seen = np.stack([hu, hu * 10, np.abs(random.normal(0, 0.1, shape))]).astype(np.float16)
    suv = np.where(body, 0.7, 0.0).astype(np.float16)
    suv[18:22, 18:22, 18:22] = 5.0
    return CubePair(patient, seen, suv, body, suv > 3, body.astype(np.uint8))


def kept_pairs(bank: Path) -> None:
    bank.mkdir()
    for name in ("body_0000", "body_0001"):
        made = pair()
        np.savez(bank / f"{name}.npz", seen=made.seen, suv=made.suv, body=made.body,
                 lesions=made.lesions, districts=made.districts)  # fmt: skip


def test_without_the_adversary_the_critic_stands_still(tmp_path: Path) -> None:
    weights = {}
    for share in (0.0, 1.0):
        settings = ct_to_pet.Settings(
            steps=2, batch=2, method="pix2pix", patch=32, width=2, adversarial=share, device="cpu"
        )
        random = np.random.default_rng(0)
        bank = Bank((pair(),), np.ones(1))
        drawn = draw_patches(bank, Cutting("all", 32), 2, random)
        batch = {name: torch.from_numpy(values) for name, values in drawn.items()}
        with Run(settings, tmp_path / str(share)) as run:
            method = ct_to_pet.Pix2Pix(run, settings)
            before = {k: v.clone() for k, v in method.critic.state_dict().items()}
            untrained = {k: v.clone() for k, v in method.uptake.state_dict().items()}
            method.step([batch])
            still = all(torch.equal(before[k], v) for k, v in method.critic.state_dict().items())
            assert still == (share == 0)
            state = method.uptake.state_dict()
            assert any(not torch.equal(untrained[k], v) for k, v in state.items())
            weights[share] = {k: v.clone() for k, v in state.items()}
    assert any(not torch.equal(weights[0.0][k], weights[1.0][k]) for k in weights[0.0])


def test_the_game_begins_with_nothing_on_both_sides(tmp_path: Path) -> None:
    """Else CycleGAN settles on a CT, and with it a PET, whose contrast is upside down."""
    settings = ct_to_pet.Settings(method="cyclegan", patch=32, width=4, device="cpu")
    with Run(settings, tmp_path) as run:
        method = ct_to_pet.CycleGan(run, settings)
    pet = method.uptake.generator(torch.rand(1, 3, 32, 32, 32))
    hu = 1000 * method.back(torch.rand(1, 1, 32, 32, 32))
    assert float(pet.detach().mean()) == pytest.approx(0, abs=0.2)
    assert float(hu.detach().mean()) == pytest.approx(-1000, abs=150)


@pytest.mark.parametrize("method", ["residual_unet", "pix2pix", "cyclegan"])
def test_method_trains_and_is_served(tmp_path: Path, method: str) -> None:
    bank = tmp_path / "bank"
    kept_pairs(bank)
    run = str(tmp_path / "run")
    options = ["--train", "2=simulated:2", "--validate", "body_0001", "--out", run,
               "--bank", str(bank), "--steps", "2", "--save-every", "2", "--batch", "2",
               "--device", "cpu", "--method", method, "--patch", "32", "--widths", "8,8",
               "--width", "4", "--district", "legs", "--lesion", "0.5",
               "--dropout", "0.2"]  # fmt: skip
    ct_to_pet.main(options)
    out = tmp_path / "weights.safetensors"
    networks = [f"legs={run}+{run}@best", f"head={run}"]
    ct_to_pet_weights.main([*networks, "--patch", "64", "head=48", "--out", str(out)])
    read = read_networks(out.read_bytes())
    sides = [read[name].facts.patch for name in ("legs", "head")]
    assert sides == ([64, 48] if method == "residual_unet" else [32, 32])
    stored = read["legs"]
    wanted = "residual_unet" if method == "residual_unet" else "generator"
    assert (stored.facts.backbone, stored.facts.steps) == (wanted, 2)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("nowhere", "one of sts, autopet, simulated, set"), ("sts:nowhere", "No pair of CT and PET")],
)
def test_a_source_of_no_kind_or_without_pairs_is_refused(
    tmp_path: Path, source: str, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        ct_to_pet.main(["--train", source, "--out", str(tmp_path)])


def test_sources_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gathered side is digested whole each time that it is read."""
    read: list[str] = []

    def counted(where: str, folder: Path) -> Iterator[CubePair]:
        read.append(where)
        yield pair()

    monkeypatch.setitem(KINDS, "counted", counted)
    with pytest.raises(SourceError, match="No pair of CT and PET is left"):
        ct_to_pet.main(["--train", "counted:x", "--validate", "a", "--out", str(tmp_path)])
    assert read == ["x"]


@pytest.mark.parametrize("option", ["--leave-out", "--validate"])
def test_a_patient_who_is_not_there_is_refused(tmp_path: Path, option: str) -> None:
    """Else a slip of the pen would train on whom the figures are measured."""
    bank = tmp_path / "bank"
    kept_pairs(bank)
    words = ["--train", "simulated:2", "--out", str(tmp_path / "run"), "--bank", str(bank)]
    with pytest.raises(SourceError, match="got body_1"):
        ct_to_pet.main([*words, option, "body_0001", "body_1"])


@pytest.mark.parametrize("widths", ["4,a", "", "4,,4", "0,4"])
def test_widths_are_numbers(widths: str) -> None:
    with pytest.raises(SettingsError, match="--widths takes numbers"):
        ct_to_pet.widths_of(widths)
