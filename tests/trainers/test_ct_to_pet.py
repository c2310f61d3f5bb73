"""The trainer: every method learns a step, goes into the one file, and comes back out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.ct_to_pet.weights import read_networks
from trainers import ct_to_pet, ct_to_pet_weights
from trainers.readers.ct_pet import CubePair


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


@pytest.mark.parametrize("method", ["residual_unet", "pix2pix", "cyclegan"])
def test_method_trains_and_is_served(tmp_path: Path, method: str) -> None:
    bank = tmp_path / "bank"
    bank.mkdir()
    for name in ("body_0000", "body_0001"):
        made = pair()
        np.savez(bank / f"{name}.npz", seen=made.seen, suv=made.suv, body=made.body,
                 lesions=made.lesions, districts=made.districts)  # fmt: skip
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
