"""Make `pipelines/ct_to_pet/calibration.json`: which CTs the model knows, and what is unlike them.

python -m trainers.calibrate_ct_to_pet --known "thighs and pelves=sts:FOLDER" \
    "simulated bodies=simulated:14" --leave-out STS_012 --bank FOLDER --out calibration.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipelines.ct_to_pet.input_distance import FEATURES, KnownGroup, body_features
from pipelines.features import Features
from trainers.ct_pet.bank import read_bank
from trainers.readers.ct_pet import CubePair
from trainers.readers.patients import refuse_unknown
from trainers.training.errors import SourceError
from trainers.training.script import exit_code

SHRINKAGE = 0.2
"""How much of the covariance is taken from its diagonal: few patients know few correlations."""

RED_FACTOR = 2.0
"""Red begins at this multiple of the farthest known CT, amber at that CT."""

LEAST_DEVIATION = 0.05
SLABS = 3
"""A CT is also described in so many parts along the body: scans cover more or less of it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--known", nargs="+", required=True, metavar="NAME=SOURCE")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="PATIENT")
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    groups, farthest = [], 0.0
    left_out: set[str] = set()
    for known in given.known:
        name, _, source = known.partition("=")
        bank = read_bank([source], given.bank, given.leave_out)
        if not bank.pairs:
            raise SourceError(f"No CT is left in {source}; name a source that holds some.")
        left_out |= {pair.patient for pair in bank.left_out}
        described = np.array([one for pair in bank.pairs for one in described_parts(pair)])
        group = known_group(name, described)
        groups.append(group)
        farthest = max(farthest, *(group.distance(features) for features in described))
    refuse_unknown(
        given.leave_out, left_out, "Patients of the sources are wanted after --leave-out"
    )
    given.out.write_text(json.dumps(calibration(groups, farthest), indent=1) + "\n")


def described_parts(pair: CubePair) -> list[Features]:
    """Features of a whole CT and of its parts along the body."""
    count = len(pair.body)
    edges = np.linspace(0, count, SLABS + 1).astype(int)
    stretches = [(0, count), *pairwise(edges)]
    found = [body_features(pair.seen[:, a:b], pair.body[a:b]) for a, b in stretches]
    return [features for features in found if features is not None]


def known_group(name: str, described: np.ndarray) -> KnownGroup:
    """Centre and precision of (n, features)."""
    centre = described.mean(axis=0)
    covariance = np.atleast_2d(np.cov(described, rowvar=False))
    spread = np.diag(np.maximum(np.diag(covariance), LEAST_DEVIATION**2))
    mixed = (1 - SHRINKAGE) * covariance + SHRINKAGE * spread
    mixed += np.eye(len(centre)) * LEAST_DEVIATION**2
    return KnownGroup(name, centre, np.asarray(np.linalg.inv(mixed), np.float64))


def calibration(groups: Sequence[KnownGroup], farthest: float) -> dict[str, object]:
    """The file's content."""
    return {
        "features": list(FEATURES),
        "groups": [
            {
                "name": group.name,
                "centre": [round(float(value), 5) for value in group.centre],
                "precision": np.round(group.precision, 5).tolist(),
            }
            for group in groups
        ],
        "amber_distance": round(farthest, 3),
        "red_distance": round(RED_FACTOR * farthest, 3),
    }


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
