"""Starting scripts under `torchrun` with two processes on the processor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def torchrun(module: str, *words: str) -> str:
    """Run a module in two processes that talk over loopback; gives what they print."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", "-m", module, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,  # so that the processes can be ended with their launcher
    )
    try:
        shown, _ = process.communicate(timeout=240)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == 0, shown
    return shown
