"""What is random in a run depends on its seed, the process and the step, and on nothing else.

So a run that goes on after a stop draws what it would have drawn.
"""

from __future__ import annotations

import os

import numpy as np
import torch


def random_of(seed: int, rank: int, step: int, part: int = 0) -> np.random.Generator:
    """The source of randomness for one batch.

    Args:
        seed: of the run.
        rank: of the process.
        step: of the run.
        part: which of the step's accumulated batches.
    """
    where = [seed, rank, step]
    return np.random.default_rng([*where, part] if part else where)


def seed_torch(seed: int, rank: int, step: int) -> None:
    """Set torch's own generators for one step: dropout and the like."""
    state = np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) & (2**63 - 1))


def set_determinism(wanted: bool) -> None:
    """Ask for the same bits on every repeat, or for the quickest algorithms."""
    if wanted:
        # cuBLAS reads it when it is first used; see PyTorch's notes on reproducibility.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted
    torch.backends.cudnn.deterministic = wanted
