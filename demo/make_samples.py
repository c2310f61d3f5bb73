"""Make the samples of the demonstration anew from the development data.

python -m demo.make_samples FOLDER_OF_THE_SOURCES [SAMPLE ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from demo.making import dual_echo, low_dose_chest, mammogram, whole_body

MAKERS: Mapping[str, Callable[[Path], None]] = {
    "low_dose_chest": low_dose_chest.make,
    "dual_echo_abdomen": dual_echo.make,
    "low_energy_mammogram": mammogram.make,
    "whole_body": whole_body.make,
}
"""Name of a sample to what makes it of the development data."""


def main() -> None:
    """Make all samples, or those that are named."""
    parser = argparse.ArgumentParser(description="Make the samples of the demonstration anew.")
    parser.add_argument("sources", type=Path, help="folder of the development data")
    parser.add_argument("names", nargs="*", metavar="SAMPLE", help=f"of {', '.join(MAKERS)}")
    given = parser.parse_args()
    for name in given.names or MAKERS:
        if name not in MAKERS:
            parser.error(f"there is no sample {name!r}; there are: {', '.join(MAKERS)}")
        MAKERS[name](given.sources)


if __name__ == "__main__":
    main()
