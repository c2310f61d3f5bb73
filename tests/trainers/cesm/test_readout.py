from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.cesm_vce.network import FoldedUNet, build
from tests.trainers.cesm.test_pairs import some_pairs
from trainers.cesm.pairs import Pairs, save, seen_of
from trainers.cesm.readout import linear_log_odds, main, solve


def error(network: FoldedUNet, pairs: Pairs) -> float:
    seen = seen_of(pairs.low[0])
    with torch.inference_mode():
        made = network(torch.from_numpy(seen)[None, None])[0, 0].numpy()
    return float(np.abs(made - pairs.recombined[0])[seen > 0].mean())


def test_the_last_layer_is_solved() -> None:
    torch.manual_seed(0)
    network, pairs = FoldedUNet(), some_pairs()
    before = error(network, pairs)
    head = network.head.weight.clone()
    solve(network, [pairs], 8, np.random.default_rng(0))
    assert error(network, pairs) < before / 2
    torch.testing.assert_close(network.head.weight, head)


def test_plain_tissue_is_exact() -> None:
    plain = torch.sigmoid(torch.tensor(-1.15))
    assert torch.sigmoid(linear_log_odds(plain)) == pytest.approx(float(plain))
    assert linear_log_odds(plain + 0.1) > linear_log_odds(plain)


def test_the_command_writes_weights_that_are_served(tmp_path: Path) -> None:
    save(some_pairs(), tmp_path / "simulated_2_1.npz")
    out = tmp_path / "run"
    main(["--train", "simulated:2", "--kept", str(tmp_path), "--images", "2", "--out", str(out)])
    build("folded_unet").load_state_dict(load_file(out / "weights.safetensors"))
