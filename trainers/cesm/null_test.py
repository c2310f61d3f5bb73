r"""The null test: from iodine of which the mammogram does not tell, nothing must be predicted.

    python -m trainers.cesm.null_test --out results/cesm_null.json

Two readouts learn the part of the recombined image that iodine made (known in simulation): one
where the iodine follows the tissue, one where the same amounts lie anywhere. On unseen pairs each
is held against the mean of what it was trained on. The second must not beat it by more than chance:
a model that seems to would know something that is not in its input.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.cesm_vce.network import FoldedUNet
from trainers.cesm.pairs import Pairs, read_source, seen_of
from trainers.cesm.readout import solve
from trainers.training.script import exit_code


@dataclass(frozen=True)
class NullResult:
    """How one network did on unseen pairs, inside the breast.

    Attributes:
        iodine: `correlated` or `independent`.
        model_mse, mean_mse: mean square error of network and mean, display values squared.
        gain: 1 - model / mean; 0 is no better than the mean, below 0 worse.
        spread: standard error of the gain over the pairs.
        pairs: unseen pairs.
    """

    iodine: str
    model_mse: float
    mean_mse: float
    gain: float
    spread: float
    pairs: int


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, train both, write what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kept", type=Path, default=Path("var/cesm_pairs"), help="prepared pairs")
    parser.add_argument("--train", type=int, default=200, help="pairs (default 200)")
    parser.add_argument("--test", type=int, default=60, help="unseen pairs (default 60)")
    parser.add_argument("--images", type=int, default=200, help="varied images (default 200)")
    given = parser.parse_args(argv)
    results = []
    for kind, name in (("simulated", "correlated"), ("null", "independent")):
        train = read_source(f"{kind}:{given.train}", given.kept)
        test = read_source(f"{kind}:{given.test}", given.kept, seed=9)
        results.append(run(name, train, test, given.images))
        print(results[-1])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return 0


class Readout(nn.Module):
    """Features of the shipped network as drawn, and a linear layer: display values, no sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FoldedUNet()

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W) to the same shape."""
        return self.network.image_of(self.network.features(seen))


def run(iodine: str, train: Pairs, test: Pairs, images: int) -> NullResult:
    """Solve the last layer for enhancement maps, measure on unseen ones."""
    torch.manual_seed(1)
    readout = Readout().eval()
    wanted = replace(train, recombined=train.enhancement)
    solve(readout.network, [wanted], images, np.random.default_rng(1), answers_of=lambda one: one)
    return measured(iodine, readout, train, test)


def measured(iodine: str, network: torch.nn.Module, train: Pairs, test: Pairs) -> NullResult:
    """Square errors inside the breast, of the network and of the mean inside training breasts."""
    mean = float(train.enhancement[train.low > 0].mean())
    errors = []
    for low, truth in zip(test.low, test.enhancement, strict=True):
        with torch.inference_mode():
            made = network(torch.from_numpy(seen_of(low))[None, None])[0, 0].numpy()
        inside = low > 0
        errors.append((((made - truth)[inside] ** 2).mean(), ((mean - truth)[inside] ** 2).mean()))
    model, constant = np.array(errors).mean(axis=0)
    gains = 1 - np.array(errors)[:, 0] / constant
    spread = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    gain = float(1 - model / constant)
    return NullResult(iodine, float(model), float(constant), gain, spread, len(test))


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
