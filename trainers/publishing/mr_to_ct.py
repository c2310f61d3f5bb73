"""Put trained weights into `pipelines/mr_to_ct`: weights, calibration, digest on the card.

    python -m trainers.publishing.mr_to_ct t1=runs/t1 in_n_out=runs/both in_phase=runs/ip \
        --known t1=sts:/data/sts in_n_out=prepared:/data/dual in_phase=prepared:/data/dual

Each run's folder holds what `trainers.mr_to_ct` leaves: `weights.safetensors`, `settings.yaml`.
Models of the folder that no run is given for stay as they are; a folder without weights begins
anew, which other features or other networks want.
The calibration says what the inputs of each model look like: features of the series named by
--known, each series scaled and read as in serving; the limits are multiples of what they show.
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
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn

from pipelines import catalog
from pipelines.calibration import CALIBRATION_FILE, calibration_values
from pipelines.features import series_features
from pipelines.mr_to_ct.models import read_networks, written
from pipelines.mr_to_ct.networks import Design
from pipelines.mr_to_ct.pipeline import NAME
from pipelines.mr_to_ct.quality import BODY_ABOVE, FEATURES, slice_features
from trainers.mr_ct.patches import Stack, every_slice, stack_of
from trainers.mr_ct.sources import read_source
from trainers.mr_to_ct import design_of, read_settings
from trainers.training.run import WEIGHTS
from trainers.training.script import exit_code

LEAST_VARIANCE = 0.02
"""Added to each feature's variance: few series are known, and others differ more."""

AMBER_FACTOR, RED_FACTOR = 1.5, 3.0
"""Limits, in multiples of the largest figure of a known series."""

ASKED = 6
"""Slices of a series that are asked about a second time, mirrored."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="MODEL=FOLDER")
    parser.add_argument("--known", nargs="+", required=True, metavar="MODEL=SOURCE")
    parser.add_argument("--folder", type=Path, default=catalog.PIPELINES / NAME, help="to write to")
    given = parser.parse_args(argv)
    runs = dict(run.split("=", 1) for run in given.runs)
    known = dict(source.split("=", 1) for source in given.known)
    if set(runs) != set(known):
        parser.error("every run wants its --known MODEL=SOURCE, and no other model has one")
    kept, values = published(given.folder)
    content = written(kept | {name: read_run(Path(folder)) for name, folder in runs.items()})
    networks = read_networks(content)  # as they will be served: halves, read back
    values["known"] |= {name: re.sub(r":.*/", ":", source) for name, source in known.items()}
    values["models"] |= {name: calibration(*networks[name], known[name]) for name in runs}
    (given.folder / CALIBRATION_FILE).write_text(json.dumps(values, indent=1) + "\n")
    (given.folder / WEIGHTS).write_bytes(content)
    pin(given.folder, content)
    print(f"published {', '.join(runs)} in {given.folder.name}: {len(content) / 1e6:.1f} MB")
    return 0


def published(folder: Path) -> tuple[dict[str, tuple[Design, dict[str, Tensor]]], dict[str, Any]]:
    """What the folder of the pipeline holds already: its networks, and its calibration."""
    weights = folder / WEIGHTS
    if not weights.exists():
        return {}, {"features": list(FEATURES), "known": {}, "models": {}}
    values, _ = calibration_values(folder, FEATURES)
    networks = read_networks(weights.read_bytes())
    return {name: (own, net.state_dict()) for name, (own, net) in networks.items()}, values


def read_run(folder: Path) -> tuple[Design, dict[str, Tensor]]:
    """Design and averaged weights of one run."""
    settings = read_settings(str(folder / "settings.yaml"), {})
    return design_of(settings), load_file(folder / WEIGHTS)


def calibration(design: Design, network: nn.Module, source: str) -> dict[str, Any]:
    """Features of known series and limits, as in `calibration.json`."""
    stacks = [
        stack_of(series, design.inputs, design.pixel_mm) for series in read_source(source, seed=1)
    ]
    table = np.array([features_of(stack) for stack in stacks])
    centre = np.nanmean(table, axis=0)
    away = np.nan_to_num(table - centre, nan=0.0)
    precision = np.linalg.inv(away.T @ away / len(away) + LEAST_VARIANCE * np.eye(len(FEATURES)))
    farthest = float(np.sqrt(np.einsum("ni,ij,nj->n", away, precision, away)).max())
    unsure = max(unsureness_hu(design, network, stack) for stack in stacks)
    return {
        "centre": centre.round(6).tolist(),
        "precision": precision.round(6).tolist(),
        "amber_distance": round(AMBER_FACTOR * farthest, 4),
        "red_distance": round(RED_FACTOR * farthest, 4),
        "amber_unsureness_hu": round(AMBER_FACTOR * unsure, 2),
        "red_unsureness_hu": round(RED_FACTOR * unsure, 2),
        "series": len(stacks),
    }


def features_of(stack: Stack) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Features of a whole series, as the quality meter gathers them."""
    assert stack.mr is not None
    return series_features([slice_features(images) for images in stack.mr.swapaxes(0, 1)])


@torch.inference_mode()
def unsureness_hu(design: Design, network: nn.Module, stack: Stack) -> float:
    """Mean difference in the body of the network's answers to a series and its mirror image.

    Mirrored as in serving: columns, and the order of the neighbours.
    """
    slices = list(every_slice(stack, design.context))
    found = []
    for planes, _ in slices[:: max(1, len(slices) // ASKED)]:
        body = planes[0, design.context] > BODY_ABOVE
        if body.any():
            # one modality, or no neighbours: reversing the planes never swaps modalities
            sides = (1, 3) if design.context else (3,)
            made, mirrored = network(planes), network(planes.flip(sides)).flip(3)
            found.append(float((made - mirrored).abs()[0, 0][body].mean()))
    return float(np.mean(found)) if found else 0.0


def pin(folder: Path, content: bytes) -> None:
    """Put the digest of the weights onto the card."""
    digest = hashlib.sha256(content).hexdigest()
    card = folder / "card.yaml"
    text, count = re.subn(
        r'(?m)^(  sha256: )"?\w+"?$', rf'\1"{digest}"', card.read_text(encoding="utf-8")
    )
    if count != 1:
        raise ValueError(f"{card.name} wants one line with sha256, got {count}; put it back.")
    card.write_text(text, encoding="utf-8")
    yaml.safe_load(text)


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
