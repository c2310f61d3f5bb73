r"""Solve the last layer of the shipped network by least squares: a trained model in seconds.

    python -m trainers.cesm.readout --train simulated:200 excerpt:/data/cesm --out runs/a

All layers but the last stay as they are (as drawn, or as --start has them): they are features at
several scales. The last layer is linear in them, so its best weights need no steps. Sources count
by their `@WEIGHT`. `trainers.cesm_vce --start` goes on from here with every layer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from pipelines.cesm_vce.network import FOLD, START_LOG_ODDS, FoldedUNet
from pipelines.cesm_vce.pipeline import GENERATOR
from trainers.cesm.pairs import Pairs, read_source, varied
from trainers.training.checkpoint import save_weights
from trainers.training.script import exit_code

RIDGE = 1e-3
"""Of the mean square of the features."""

TAIL = 3
"""Side of the last layer's window."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, solve, write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", nargs="+", required=True, metavar="SOURCE")
    parser.add_argument(
        "--hold-out", nargs="*", default=[], metavar="PATIENT", help="not trained on"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for weights.safetensors")
    parser.add_argument("--kept", type=Path, default=Path("var/cesm_pairs"), help="prepared pairs")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="take features from these")
    parser.add_argument("--images", type=int, default=200, help="images of each source (200)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    torch.manual_seed(given.seed)
    network = FoldedUNet()
    if given.start:
        network.load_state_dict(load_file(given.start))
    sources = [read_source(s, given.kept).of(given.hold_out, without=True) for s in given.train]
    solve(network, sources, given.images, np.random.default_rng(given.seed))
    given.out.mkdir(parents=True, exist_ok=True)
    save_weights(
        network.state_dict(), given.out / "weights.safetensors", {GENERATOR: "folded_unet"}
    )
    print(f"solved the last layer from {len(sources)} sources")
    return 0


@torch.no_grad()
def solve(
    network: FoldedUNet,
    sources: Sequence[Pairs],
    images: int,
    random: np.random.Generator,
    answers_of: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Put the best last layer into the network; square error of the display value in the breast.

    Args:
        network: its last layer is replaced.
        sources: count by their share.
        images: varied images of each source.
        random: decides everything.
        answers_of: display values to what the layer should give; log odds when left out.
    """
    answers_of = answers_of or linear_log_odds
    count = network.tail.in_channels * TAIL * TAIL + 1
    products = np.zeros((count, count))
    towards = np.zeros((count, FOLD * FOLD))
    for source in sources:
        share = source.share / images
        for index in range(images):
            seen, wanted, _ = varied(source, index % len(source), random)
            rows, answers = _equations(network, seen, wanted, answers_of)
            weight = share / max(1, len(rows))
            products += weight * rows.T @ rows
            towards += weight * rows.T @ answers
    products += RIDGE * np.trace(products) / count * np.eye(count)
    solved = np.linalg.solve(products, towards)  # (features + 1, 16)
    shape = network.tail.weight.shape
    network.tail.weight.copy_(torch.from_numpy(solved[:-1].T.reshape(shape)))
    network.tail.bias.copy_(torch.from_numpy(solved[-1]))  # type: ignore[union-attr]
    for parameter in network.direct.parameters():
        parameter.zero_()


def _equations(
    network: FoldedUNet,
    seen: np.ndarray,
    wanted: np.ndarray,
    answers_of: Callable[[Tensor], Tensor],
) -> tuple[np.ndarray, np.ndarray]:
    """Features (blocks, features + 1) and wanted log odds (blocks, 16) of blocks in the breast."""
    image, answer = (torch.from_numpy(np.ascontiguousarray(p))[None, None] for p in (seen, wanted))
    windows = functional.unfold(network.features(image), TAIL, padding=TAIL // 2)[0].T
    inside = functional.pixel_unshuffle(image, FOLD).amin(dim=1).flatten() > 0
    log_odds = functional.pixel_unshuffle(answers_of(answer), FOLD)[0].flatten(1).T
    ones = torch.ones(len(windows), 1)
    rows = torch.cat([windows, ones], dim=1)[inside].double().numpy()
    return rows, log_odds[inside].double().numpy()


def linear_log_odds(display: Tensor) -> Tensor:
    """Log odds that are linear in the display value, exact at plain tissue: noise is unbiased."""
    plain = torch.sigmoid(torch.tensor(START_LOG_ODDS))
    return START_LOG_ODDS + (display - plain) / (plain * (1 - plain))


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
