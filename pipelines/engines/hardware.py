"""What runs the network: the processor's name and how many cores are ours."""

from __future__ import annotations

import os
import platform
from pathlib import Path

PROCESSOR_FACTS = Path("/proc/cpuinfo")


def processor_name() -> str:
    """The processor as the kernel names it, else the architecture."""
    try:
        lines = PROCESSOR_FACTS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def cores() -> int:
    """Processor cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
