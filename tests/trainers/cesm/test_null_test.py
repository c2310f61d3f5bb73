from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch

from tests.trainers.cesm.test_pairs import some_pairs
from trainers.cesm.null_test import main, measured
from trainers.cesm.pairs import save


class Constant(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.full_like(seen, self.value)


def test_the_mean_itself_gains_nothing() -> None:
    pairs = some_pairs()
    mean = float(pairs.enhancement[pairs.low > 0].mean())
    assert abs(measured("independent", Constant(mean), pairs, pairs).gain) < 1e-5
    assert measured("independent", Constant(mean + 0.1), pairs, pairs).gain < -1


def test_knowing_the_truth_gains_everything() -> None:
    pairs = some_pairs(2).of(["P0"])
    twice = replace(
        pairs,
        names=pairs.names * 2,
        low=pairs.low.repeat(2, axis=0),
        enhancement=pairs.enhancement.repeat(2, axis=0),
    )

    class Knowing(torch.nn.Module):
        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(pairs.enhancement)[None]

    result = measured("correlated", Knowing(), pairs, twice)
    assert result.gain == 1
    assert result.pairs == 2
    assert result.spread == 0


def test_the_command_writes_both(tmp_path: Path) -> None:
    for name in ("simulated_2_1", "simulated_2_9", "null_2_1", "null_2_9"):
        save(some_pairs(), tmp_path / f"{name}.npz")
    main(["--out", str(tmp_path / "n.json"), "--kept", str(tmp_path), "--train", "2", "--test", "2",
          "--images", "2"])  # fmt: skip
    written = json.loads((tmp_path / "n.json").read_text())
    assert [one["iodine"] for one in written] == ["correlated", "independent"]
