from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from trainers.losses.perceptual import LayerOutputs, PerceptualLoss


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3))


def test_equal_images_cost_nothing_and_others_something() -> None:
    loss, image = PerceptualLoss(), torch.rand(2, 1, 32, 32)
    assert loss(image, image).item() == 0
    assert loss(image, image.flip(3)).item() > 0.01


def test_gradients_reach_the_image_but_neither_label_nor_extractor() -> None:
    extractor = LayerOutputs(network(), ["2", "3"])
    fake, real = (torch.rand(1, 1, 16, 16, requires_grad=True) for _ in range(2))
    PerceptualLoss(extractor)(fake, real).backward()
    assert fake.grad is not None
    assert fake.grad.abs().max() > 0
    assert real.grad is None
    assert all(parameter.grad is None for parameter in extractor.parameters())


def test_layers_are_those_of_the_network() -> None:
    net, image = network().eval(), torch.rand(1, 1, 16, 16)
    first, last = LayerOutputs(net, ["0", "3"])(image)
    torch.testing.assert_close(first, net[0](image))
    torch.testing.assert_close(last, net(image))


def test_extractor_stays_in_evaluation_mode() -> None:
    net = network()
    loss = PerceptualLoss(LayerOutputs(net, ["3"])).train()
    before = copy.deepcopy(net.state_dict())
    loss(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
    torch.testing.assert_close(net.state_dict(), before)


def test_weights_weigh() -> None:
    extractor = LayerOutputs(network(), ["0", "3"])
    fake, real = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)
    first, last = (PerceptualLoss(extractor, weights)(fake, real) for weights in ((1, 0), (0, 1)))
    both = PerceptualLoss(extractor, (2, 3))(fake, real)
    torch.testing.assert_close(both, 2 * first + 3 * last)


def test_wrong_layers_and_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="'relu5'"):
        LayerOutputs(network(), ["relu5"])
    with pytest.raises(ValueError, match="got 1 for 3"):
        PerceptualLoss(weights=(1.0,))(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32))
