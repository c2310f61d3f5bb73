"""What two processes must agree on; started by `torchrun` in a test, fails by assertion.

Then they train the toy for 8 steps, and a second run goes on to 12: all in one start, which takes
seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from tests.trainers.training import toy
from trainers.training.processes import Processes


def main(folder: Path) -> None:
    """Check every call of `Processes` in a group of two."""
    processes = Processes("cpu")
    rank = processes.rank
    assert processes.count == 2
    assert processes.first == (rank == 0)
    assert processes.mean(float(rank)) == 0.5
    assert processes.told_by_first(10.0 + rank) == 10.0
    torch.manual_seed(rank)
    network = nn.BatchNorm1d(3)
    nn.init.normal_(network.weight)
    processes.same_everywhere(network)
    torch.manual_seed(0)
    wanted = nn.init.normal_(torch.empty(3))
    assert torch.equal(network.weight.detach(), wanted)
    _gradients(processes)
    with processes.first_goes_first():
        path = folder / "made"
        assert path.exists() == (rank == 1)
        path.write_text("made")
    processes.wait()
    knobs = ["--out", str(folder), "--dropout", "0", "--average", "0"]
    toy.main([*knobs, "--steps", "8"])
    toy.main([*knobs, "--steps", "12", "--resume"])
    processes.leave()


def _gradients(processes: Processes) -> None:
    """Used by both, by one, by none; and one that does not learn."""
    both, one, none, fixed = (nn.Parameter(torch.zeros(2)) for _ in range(4))
    fixed.requires_grad_(False)
    both.grad = torch.full((2,), 1.0 + processes.rank)
    if processes.first:
        one.grad = torch.ones(2)
    processes.average_gradients([both, one, none, fixed])
    assert both.grad is not None
    assert both.grad.tolist() == [1.5, 1.5]
    assert one.grad is not None
    assert one.grad.tolist() == [0.5, 0.5]
    assert none.grad is None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
