"""`make bench`: the benchmarks, one after the other; results in benchmarks/results/.

python -m benchmarks [NAME ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

BENCHMARKS = ("receive", "latency", "model", "ct_to_pet", "mr_to_ct", "cesm_vce", "training")


def main(argv: Sequence[str] | None = None) -> int:
    """Run each in a process of its own, so that none warms up another."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, and write benchmarks/results/NAME.md anew. Leave the machine alone "
        "meanwhile: figures of a busy one tell nothing.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"only these of {', '.join(BENCHMARKS)} (default all)",
    )
    names = parser.parse_args(argv).names or BENCHMARKS
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    codes = []
    for name in names:
        print(f"\n== {name} ==", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
