from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.metrics.samples import UNIT, textured
from trainers.evaluation.quality_scores import (
    PAIRED,
    PERCEPTUAL,
    SCORES,
    UNPAIRED,
    Networks,
    Reference,
    fifteen_scores,
    mixture_score,
    noise_level,
    perceptual_distances,
    reference_of,
)

SIDE = 96


@pytest.fixture(scope="module")
def reference() -> Reference:
    """24 good images of others."""
    return reference_of(textured(24, SIDE, seed=9, roughness=0.02), UNIT, Networks())


def scores(output: np.ndarray, reference: Reference) -> dict[str, float]:
    truth = textured(4, SIDE, seed=1, roughness=0.02)
    return fifteen_scores(truth, output, reference, UNIT, Networks())


def test_there_are_fifteen_seven_of_them_with_the_truth(reference: Reference) -> None:
    assert (len(SCORES), len(PAIRED), len(UNPAIRED)) == (15, 7, 8)
    found = scores(textured(4, SIDE, seed=1, roughness=0.05), reference)
    assert set(found) == set(SCORES)
    assert all(np.isfinite(value) for value in found.values())


def test_noise_makes_every_score_worse_that_should_see_it(reference: Reference) -> None:
    little = scores(textured(4, SIDE, seed=1, roughness=0.03), reference)
    much = scores(textured(4, SIDE, seed=1, roughness=0.15), reference)
    for name in set(SCORES) - {"blur", "mixture score"}:
        sign = 1 if SCORES[name].better == "lower" else -1
        assert sign * much[name] > sign * little[name], name
    assert much["blur"] < little["blur"]  # noise counts as sharpness


def test_the_truth_itself_has_no_paired_distance(reference: Reference) -> None:
    truth = textured(4, SIDE, seed=1, roughness=0.02)
    found = scores(truth, reference)
    assert found["MSE"] == 0
    assert [found[name] for name in PERCEPTUAL] == [0, 0, 0]
    assert [found["SSIM"], found["VIF"]] == pytest.approx([1, 1])


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_noise_level_is_that_of_the_noise(sigma: float) -> None:
    down = np.linspace(0.2, 0.6, 128)[:, None] * np.ones((1, 128))
    noise = np.random.default_rng(0).normal(0, sigma, (128, 128))
    assert noise_level(down + noise) == pytest.approx(sigma, rel=0.04)
    assert noise_level(down) == pytest.approx(0, abs=1e-9)


def test_the_mixture_score_is_at_least_one_and_one_for_copies(reference: Reference) -> None:
    one = textured(1, SIDE, seed=3, roughness=0.02)
    assert mixture_score(np.repeat(one, 5, axis=0), reference, UNIT) == pytest.approx(1)
    assert mixture_score(reference.images, reference, UNIT) > 1.5


class Halved(nn.Module):
    """A network whose features are the image's halves."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image / 2


def test_a_sites_network_takes_the_place_of_a_stand_in() -> None:
    first, second = textured(2, SIDE, seed=1), textured(2, SIDE, seed=2)
    own = perceptual_distances(first, second, Networks(perceptual=(Halved(),)))
    default = perceptual_distances(first, second, Networks())
    assert own[0] == pytest.approx(np.abs(first - second).mean() / 2, rel=1e-5)
    assert own[1:] == default[1:]
    assert own[0] != default[0]
