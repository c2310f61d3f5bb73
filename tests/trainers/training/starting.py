"""Starting scripts under `torchrun` with two processes on the processor."""

from __future__ import annotations

import os
import subprocess
import sys


def torchrun(module: str, *words: str) -> str:
    """Run a module in two processes that talk over loopback; gives what they print."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", "-m", module, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
