from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.mr_to_ct.generators import (
    BackwardGenerator,
    Block,
    MultiGenerator,
    Shape,
    SingleGenerator,
)

NARROW = Shape(width=4)


def count(module: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(part, kind) for part in module.modules())


def test_the_single_generator_is_johnsons() -> None:
    generator = SingleGenerator(Shape())
    assert count(generator, Block) == 9
    assert count(generator, nn.ConvTranspose2d) == 2
    strides = [part.stride for part in generator.modules() if isinstance(part, nn.Conv2d)]
    assert strides.count((2, 2)) == 2
    first = next(part for part in generator.modules() if isinstance(part, nn.Conv2d))
    assert (first.out_channels, first.kernel_size) == (64, (7, 7))


@pytest.mark.parametrize("modalities", [2, 3])
def test_the_multi_generator_has_a_branch_a_modality(modalities: int) -> None:
    generator = MultiGenerator(modalities, NARROW)
    assert [count(branch, Block) for branch in generator.branches] == [4] * modalities
    assert count(generator.decoder, Block) == 5
    assert count(generator.decoder, nn.ConvTranspose2d) == 2


def test_the_backward_generator_mirrors_it() -> None:
    generator = BackwardGenerator(3, NARROW)
    assert count(generator.encoder, Block) == 5
    assert [count(branch, Block) for branch in generator.branches] == [4, 4, 4]
    assert generator(torch.zeros(2, 1, 32, 40)).shape == (2, 3, 32, 40)


@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("norm", ["instance", "none"])
def test_any_size_comes_back_in_hu(merge: str, norm: str) -> None:
    shape = Shape(4, norm=norm, merge=merge)  # type: ignore[arg-type]
    output = MultiGenerator(2, shape).eval()(torch.rand(1, 2, 37, 50))
    assert output.shape == (1, 1, 37, 50)
    assert output.min() >= -1024
    assert output.max() <= 3071


def test_every_modality_counts() -> None:
    generator = MultiGenerator(2, NARROW).eval()
    images = torch.rand(1, 2, 32, 32)
    other = images.clone()
    other[:, 1] = torch.rand(1, 32, 32)
    assert not torch.equal(generator.correction(images), generator.correction(other))


def test_without_normalisation_a_voxel_does_not_depend_on_the_field_of_view() -> None:
    generator = SingleGenerator(Shape(4, norm="none")).eval()
    small = torch.rand(1, 1, 256, 256)
    large = torch.cat([small, torch.zeros(1, 1, 256, 128)], dim=3)
    with torch.no_grad():
        near = generator.correction(large)[..., 60:120, 60:120]
        torch.testing.assert_close(near, generator.correction(small)[..., 60:120, 60:120])
