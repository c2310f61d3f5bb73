"""The slices that were decoded last, bounded by the memory that they take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Slice = npt.NDArray[np.float32]


class SliceMemory:
    """Decodes slices, and keeps the last ones as far as they fit; for one thread.

    Args:
        decode: reads the one slice of a file, (rows, columns).
        most_bytes: of all slices that are kept.
    """

    def __init__(self, decode: Callable[[Path], Slice], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._decode = decode
        self._kept: OrderedDict[tuple[Path, int], Slice] = OrderedDict()

    @property
    def kept_bytes(self) -> int:
        """What is kept now."""
        return sum(each.nbytes for each in self._kept.values())

    def slice_of(self, path: Path) -> Slice:
        """The slice of a file; decoded anew when the file has changed.

        Raises:
            FileNotFoundError: the file is gone.
        """
        key = (path, path.stat().st_mtime_ns)
        if key not in self._kept:
            self._kept[key] = self._decode(path)
        self._kept.move_to_end(key)
        decoded = self._kept[key]
        while self.kept_bytes > self.most_bytes:
            self._kept.popitem(last=False)  # the one itself where it is larger than all room
        return decoded
