r"""Put trained weights into `pipelines/cesm_vce`: weights, calibration, digest on the card.

    python -m trainers.publishing.cesm_vce runs/a/weights.safetensors --generator folded_unet \
        --known simulated:200 excerpt:/data/cesm

The calibration says what the model's inputs look like: features of the pairs named by --known,
each varied as in training, every source counting alike; limits of the distance are quantiles over
them. How unsure the model may be is measured on the same pairs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file

from pipelines import catalog
from pipelines.calibration import CALIBRATION_FILE
from pipelines.cesm_vce.framing import Framed, framed
from pipelines.cesm_vce.network import GENERATORS, build
from pipelines.cesm_vce.pipeline import GENERATOR, NAME
from pipelines.cesm_vce.quality import FEATURES, features_of
from trainers.cesm.pairs import GAMMAS, Pairs, read_source
from trainers.training.script import exit_code

DRAWS = 60
"""Inputs drawn from each source."""

AMBER_QUANTILE, RED_FACTOR = 0.99, 2.0
"""Amber above this quantile of known inputs; red at that many times amber."""

LEAST_VARIANCE = 1e-4

LEAST_UNSURENESS = 0.004
"""One step of a display of 8 bits: nobody sees answers that differ by less."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--generator", default="folded_unet", choices=sorted(GENERATORS))
    parser.add_argument("--known", nargs="+", required=True, metavar="SOURCE")
    parser.add_argument("--kept", type=Path, default=Path("var/cesm_pairs"), help="prepared pairs")
    parser.add_argument("--folder", type=Path, default=catalog.PIPELINES / NAME, help="to write to")
    given = parser.parse_args(argv)
    tensors = load_file(given.weights)
    network = build(given.generator)
    network.load_state_dict(tensors)
    sources = [read_source(source, given.kept) for source in given.known]
    values = calibration(network.eval(), sources)
    values["known"] = [re.sub(r":.*/", ":", source) for source in given.known]  # no machine's paths
    (given.folder / CALIBRATION_FILE).write_text(json.dumps(values, indent=1) + "\n")
    save_file(tensors, given.folder / "weights.safetensors", {GENERATOR: given.generator})
    pin(given.folder)
    print(f"published {given.weights.name} in {given.folder.name}")
    return 0


def calibration(network: torch.nn.Module, sources: Sequence[Pairs]) -> dict[str, Any]:
    """Features of known inputs and limits, as in `calibration.json`."""
    random = np.random.default_rng(0)
    inputs = [known_input(source, random) for source in sources for _ in range(DRAWS)]
    table = np.array([features_of(around) for around in inputs])
    centre = table.mean(axis=0)
    covariance = np.cov(table.T) + LEAST_VARIANCE * np.eye(len(FEATURES))
    precision = np.linalg.inv(covariance)
    away = table - centre
    distances = np.sqrt(np.einsum("ni,ij,nj->n", away, precision, away))
    unsureness = [unsureness_of(network, around) for around in inputs[:: max(1, len(inputs) // 20)]]
    amber = float(np.quantile(distances, AMBER_QUANTILE))
    unsure = max(LEAST_UNSURENESS, *unsureness)
    return {
        "features": list(FEATURES),
        "centre": centre.round(6).tolist(),
        "precision": precision.round(6).tolist(),
        "amber_distance": round(amber, 4),
        "red_distance": round(RED_FACTOR * amber, 4),
        "amber_unsureness": round(unsure, 4),
        "red_unsureness": round(RED_FACTOR * unsure, 4),
        "inputs": len(inputs),
    }


def known_input(source: Pairs, random: np.random.Generator) -> Framed:
    """A mammogram of the source, mirrored or not, displayed a little otherwise."""
    low = source.low[int(random.integers(len(source)))]
    gamma = np.exp(random.uniform(*np.log(GAMMAS)))
    moved = np.roll(low, int(random.integers(-20, 21)), axis=0)
    return framed(moved[:, :: int(random.choice([-1, 1]))] ** gamma)


def unsureness_of(network: torch.nn.Module, around: Framed) -> float:
    """Mean difference of the network's answers to a mammogram and its mirror image."""
    seen = torch.from_numpy(around.seen)[None, None]
    with torch.inference_mode():
        made, mirrored = network(seen), network(seen.flip(3)).flip(3)
    difference: npt.NDArray[np.float32] = (made - mirrored).abs()[0, 0].numpy()
    return float(difference[around.breast].mean())


def pin(folder: Path) -> None:
    """Put the digest of the weights onto the card."""
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    card = folder / "card.yaml"
    text, count = re.subn(r'(?m)^(  sha256: )"?\w+"?$', rf'\1"{digest}"', card.read_text())
    if count != 1:
        raise ValueError(f"{card.name} wants one line with sha256, got {count}; put it back.")
    card.write_text(text)


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
