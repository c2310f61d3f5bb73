from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.mr_to_ct.networks import build
from pipelines.mr_to_ct.residual_unet import ResidualUNet
from trainers import widening
from trainers.mr_to_ct import design_of, read_settings
from trainers.widening import widened


def networks() -> tuple[ResidualUNet, ResidualUNet]:
    torch.manual_seed(3)
    return ResidualUNet(3, width=4).eval(), ResidualUNet(3, width=8).eval()


def shapes(network: ResidualUNet) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


def test_without_noise_it_computes_the_same() -> None:
    narrow, wide = networks()
    wide.load_state_dict(widened(narrow.state_dict(), shapes(wide), noise=0.0))
    planes = torch.rand(2, 3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(wide(planes), narrow(planes), rtol=1e-4, atol=1e-2)


def test_with_noise_the_twins_part() -> None:
    narrow, wide = networks()
    tensors = widened(narrow.state_dict(), shapes(wide))
    one, other = tensors["bottom.0.second.weight"].chunk(2, dim=1)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one, other, rtol=0.3, atol=0.0)


def test_three_times_as_wide_is_refused() -> None:
    narrow, _ = networks()
    with pytest.raises(ValueError, match=r"should keep or double 4 on axis 0: 12"):
        widened(narrow.state_dict(), shapes(ResidualUNet(3, width=12)))


def test_the_command_writes_what_the_trainer_starts_from(tmp_path: Path) -> None:
    torch.manual_seed(1)
    settings = read_settings("t1", {"width": 4})
    narrow = build(design_of(settings))
    save_file(narrow.state_dict(), tmp_path / "narrow.safetensors")
    asked = ["--configuration", "t1", "--width", "4", "--weights"]
    paths = [str(tmp_path / "narrow.safetensors"), "--out", str(tmp_path / "wide.safetensors")]
    assert widening.main([*asked, *paths]) == 0
    wide = build(design_of(read_settings("t1", {"width": 8})))
    wide.load_state_dict(load_file(tmp_path / "wide.safetensors"))
