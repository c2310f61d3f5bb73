from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainers.losses.virtual_pair_experiment import Trial
from trainers.losses.perceptual import PerceptualLoss
from trainers.losses.replay import ReplayBuffer
from trainers.losses.virtual_pair import VirtualPairedLoss, ramped_weight


def test_only_the_denoiser_learns() -> None:
    denoise, degrade = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
    full_dose = torch.rand(2, 1, 32, 32)
    loss = VirtualPairedLoss(PerceptualLoss())(denoise, degrade(full_dose), full_dose)
    loss.backward()
    assert all(parameter.grad is None for parameter in degrade.parameters())
    for parameter in denoise.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


def test_identities_cost_nothing() -> None:
    identity, image = nn.Identity(), torch.rand(2, 1, 32, 32)
    assert VirtualPairedLoss(PerceptualLoss())(identity, identity(image), image).item() == 0


def test_terms_add_up() -> None:
    features = PerceptualLoss()
    full_dose = torch.rand(2, 1, 32, 32)
    low_dose = full_dose + 0.1 * torch.randn_like(full_dose)
    plain = VirtualPairedLoss()(nn.Identity(), low_dose, full_dose)
    both = VirtualPairedLoss(features, feature_weight=0.5)(nn.Identity(), low_dose, full_dose)
    torch.testing.assert_close(plain, (low_dose - full_dose).abs().mean())
    torch.testing.assert_close(both, plain + 0.5 * features(low_dose, full_dose))


def test_earlier_pairs_keep_their_labels() -> None:
    loss = VirtualPairedLoss(buffer=ReplayBuffer(capacity=4))
    for step in range(20):
        full_dose = torch.full((2, 1, 4, 4), float(step))
        value = loss(nn.Identity(), full_dose + 0.5, full_dose)
        assert value.item() == pytest.approx(0.5)


def test_it_can_be_learnt_from() -> None:
    torch.manual_seed(0)
    denoise = nn.Conv2d(1, 1, 5, padding=2)
    optimiser = torch.optim.Adam(denoise.parameters(), lr=0.02)
    loss = VirtualPairedLoss(buffer=ReplayBuffer(8))
    x = torch.linspace(0, 3, 24)
    clean = (torch.sin(x)[:, None] * torch.cos(x)[None, :]).expand(4, 1, 24, 24)
    for _ in range(120):
        optimiser.zero_grad()
        loss(denoise, clean + 0.3 * torch.randn(4, 1, 24, 24), clean).backward()
        optimiser.step()
    noisy = clean + 0.3 * torch.randn(4, 1, 24, 24)
    assert (denoise(noisy) - clean).square().mean() < 0.5 * (noisy - clean).square().mean()


def test_weight_ramps_up_after_the_warm_up() -> None:
    weights = [ramped_weight(step, warm_up=2, ramp=4) for step in range(8)]
    assert weights == [0, 0, 2.5, 5, 7.5, 10, 10, 10]
    assert ramped_weight(0, warm_up=0, ramp=0, full=3) == 3


def test_virtual_pairs_help_a_cyclegan_and_real_pairs_help_more() -> None:
    """On phantoms of known truth; about half a minute, at 200 steps nothing is to be seen yet."""
    found = {}
    for kind in ("cycle", "virtual", "paired"):
        trial = Trial(kind, seed=0)
        for number in range(400):
            trial.step(number)
        found[kind] = trial.rmse()
    assert found["paired"] < 0.9 * found["virtual"]
    assert found["virtual"] < 0.98 * found["cycle"]
