r"""Write down how weights came to be, from the run's own files: checkpoint, noise bank, weights.

    python -m trainers.evaluation.training_record --run runs/a --out results/ldct_denoise.json \
        --train chest=3@/data/chest+thick --validate /data/b --start runs/first.safetensors

Sources are given as they were to the trainer. The record joins what the JSON file already holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainers.errors import TrainersError
from trainers.readers.data_set import PREFIX, name_of, side_of
from trainers.training.script import exit_code


class RecordError(TrainersError):
    """The run's files do not fit together."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, make the record, write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoint and bank")
    parser.add_argument("--train", nargs="+", required=True, metavar="SOURCE")
    parser.add_argument("--validate", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="weights that it began with")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to add the record to")
    given = parser.parse_args(argv)
    record = training_record(given.run, given.train, given.validate, given.start)
    whole = json.loads(given.out.read_text()) if given.out.exists() else {}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(whole | {"training": record}, indent=1) + "\n")
    print(f"wrote the training record of {record['steps']} steps to {given.out}")
    return 0


def training_record(
    run: Path, train: Sequence[str], validate: Sequence[str], start: Path | None = None
) -> dict[str, Any]:
    """Data by patient and side of the split, settings, seeds, steps, digests.

    Raises:
        RecordError: a patient is on both sides of the split.
    """
    state = torch.load(run / "checkpoint.pt", "cpu", weights_only=True)
    sides = {
        "training": [part for source in train for part in _source(source, run / "bank")],
        "validation": [part for source in validate for part in _source(source, run / "bank")],
    }
    patients = [{part["patient"] for part in parts} for parts in sides.values()]
    if both := sorted(patients[0] & patients[1]):
        raise RecordError(
            f"A patient must be on one side of the split, got {', '.join(both)} on both; "
            "name the sources as they were given to the trainer."
        )
    return {
        "trainer": "trainers/ldct_denoise.py",
        "steps": state["step"],
        "settings": state["settings"],
        "seed": state["settings"]["seed"],
        "started_from_sha256": sha256(start) if start else None,
        "weights_sha256": sha256(run / "weights.safetensors"),
        "data": sides,
    }


def sha256(path: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _source(source: str, bank: Path) -> list[dict[str, Any]]:
    """Every series of one of the trainer's sources: name, patient, slices; names, never paths."""
    named = source.rpartition("@")[2].removesuffix("+thick")
    if named.startswith(PREFIX):
        kept = side_of(named).series("CT")
        return [_series(bank / f"{name_of(one)}.npz", one.patient) for one in kept]
    place = Path(named)
    files = sorted(place.glob("*.nii*")) if place.is_dir() else [place]
    if not files:  # a folder of DICOM: the folder is the patient
        thick = sorted(bank.glob(f"{place.name} x*.npz"))
        paths = [bank / f"{place.name}.npz", *thick]
        return [_series(path, place.name) for path in paths]
    stems = [file.name.split(".")[0] for file in files]
    return [_series(bank / f"{stem}.npz", stem.removesuffix("_CT")) for stem in stems]


def _series(kept: Path, patient: str) -> dict[str, Any]:
    """What the bank knows of one series; one that could not be calibrated was left out."""
    if not kept.exists():
        return {"name": kept.stem, "patient": patient, "used": False}
    with np.load(kept) as stack:
        return {
            "name": kept.stem,
            "patient": patient,
            "used": True,
            "slices": len(stack["slices"]),
            "slices_with_noise": len(stack["centres"]),
            "weight": round(float(stack["weight"]), 4),
        }


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
