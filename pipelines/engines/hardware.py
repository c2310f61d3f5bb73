"""What runs the network: the processor's name and how many cores are ours."""

from __future__ import annotations

import os
import platform
from pathlib import Path

PROCESSOR_FACTS = Path("/proc/cpuinfo")


def processor_name() -> str:
    """The processor as the kernel names it, else the architecture."""
    return _fact("model name") or platform.machine()


def processor_maker() -> str:
    """Its maker as the processor says it (`GenuineIntel`), empty where it does not."""
    return _fact("vendor_id")


def _fact(name: str) -> str:
    """Of the first core, empty where the kernel does not know."""
    try:
        lines = PROCESSOR_FACTS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def cores() -> int:
    """Processor cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
