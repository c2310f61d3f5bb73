"""Make the samples of the demonstration anew from the development data.

python -m demo.make_samples ../shared/data [low_dose_chest dual_echo mammogram whole_body]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from demo.making import dual_echo, low_dose_chest, mammogram, whole_body

MAKERS: Mapping[str, Callable[[Path], None]] = {
    "low_dose_chest": low_dose_chest.make,
    "dual_echo": dual_echo.make,
    "mammogram": mammogram.make,
    "whole_body": whole_body.make,
}
"""Name of a sample to what makes it of the development data."""


def main(arguments: list[str]) -> None:
    """Make all samples, or those named after the folder of the development data."""
    shared, *names = arguments
    for name in names or MAKERS:
        MAKERS[name](Path(shared))


if __name__ == "__main__":
    main(sys.argv[1:])
