from __future__ import annotations

import pytest
import torch

from pipelines.mr_to_ct.generators import MultiGenerator, SingleGenerator
from pipelines.mr_to_ct.networks import Design, build
from pipelines.mr_to_ct.residual_unet import ResidualUNet


@pytest.mark.parametrize(
    ("design", "kind"),
    [
        (Design("residual_unet", ("T1",), 2, 1.0, width=4), ResidualUNet),
        (Design("single", ("IP",), 0, 1.5, width=4), SingleGenerator),
        (Design("multi", ("IP", "OOP", "T2"), 0, 1.5, width=4), MultiGenerator),
    ],
)
def test_each_design_takes_its_planes(design: Design, kind: type[torch.nn.Module]) -> None:
    network = build(design)
    assert isinstance(network, kind)
    assert network(torch.rand(1, design.planes, 32, 32)).shape == (1, 1, 32, 32)


def test_generators_see_one_slice() -> None:
    with pytest.raises(ValueError, match="sees one slice"):
        build(Design("multi", ("IP", "OOP"), 1, 1.5))
