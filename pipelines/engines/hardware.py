"""What runs the network: the processor's name, for the quality record."""

from __future__ import annotations

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
