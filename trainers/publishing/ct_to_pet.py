"""Put the networks of several runs into the one file that `pipelines/ct_to_pet` serves.

python -m trainers.publishing.ct_to_pet all=runs/all legs=runs/legs+runs/more ... --out FILE

Runs joined by `+` (one begun from the weights of the other) are averaged, weight by weight; named
twice, one counts twice. `FOLDER@best` takes the weights with the best score instead of the last.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipelines.ct_to_pet.weights import NetworkFacts, to_bytes
from trainers.ct_to_pet import OVERLAP
from trainers.training.checkpoint import load_checkpoint
from trainers.training.run import BEST, CHECKPOINT, WEIGHTS
from trainers.training.script import exit_code


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, write the file, say its digest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="network and its run")
    parser.add_argument("--simulated-only", nargs="*", default=[], metavar="NAME",
                        help="networks that have seen no real patient")  # fmt: skip
    parser.add_argument("--patch", nargs="+", default=[], metavar="[NAME=]CUBES",
                        help="served in windows of at most this side, all or one network, not of "
                             "the side of training; a residual U-Net takes any")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    sides = {name: int(side) for name, _, side in (one.rpartition("=") for one in given.patch)}
    networks = {}
    for run in given.runs:
        name, _, folder = run.partition("=")
        parts = [read_run(one, name in given.simulated_only) for one in folder.split("+")]
        facts = parts[-1][0]
        side = sides.get(name, sides.get(""))
        if side and facts.backbone == "residual_unet":
            facts = replace(facts, patch=side)
        networks[name] = facts, averaged([state for _, state in parts])
    content = to_bytes(networks)
    given.out.write_bytes(content)
    print(hashlib.sha256(content).hexdigest(), len(content), given.out)


def averaged(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several states of one network."""
    return {key: torch.stack([state[key] for state in states]).mean(dim=0) for key in states[0]}


def read_run(run: str, simulated_only: bool) -> tuple[NetworkFacts, dict[str, torch.Tensor]]:
    """The averaged weights of a run (`FOLDER` or `FOLDER@best`) and what its network is."""
    from safetensors.torch import load_file

    place, _, best = run.partition("@")
    folder = Path(place)
    state: dict[str, Any] = load_checkpoint(folder / CHECKPOINT, torch.device("cpu"))
    settings = state["settings"]
    plain = settings["method"] == "residual_unet"
    widths = settings["widths"].split(",") if plain else [settings["width"]]
    facts = NetworkFacts(
        backbone="residual_unet" if plain else "generator",
        widths=tuple(int(width) for width in widths),
        patch=settings["patch"],
        overlap=OVERLAP,
        tapered=plain,
        simulated_only=simulated_only,
        steps=state["step"],
    )
    return facts, load_file(folder / (BEST if best else WEIGHTS))


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
