"""`make bench`: every benchmark, one after the other; results in benchmarks/results/."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("receive", "latency", "model", "ct_to_pet", "mr_to_ct", "cesm_vce", "training")


def main() -> int:
    """Run each in a process of its own, so that none warms up another."""
    codes = []
    for name in BENCHMARKS:
        print(f"\n== {name} ==", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
