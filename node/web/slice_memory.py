"""The slices that were decoded last, bounded by the memory that they take."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Slice = npt.NDArray[np.float32]


class SliceMemory:
    """Decodes slices, and keeps the last ones as far as they fit; for several threads.

    Args:
        decode: reads the one slice of a file, (rows, columns).
        most_bytes: of all slices that are kept.
    """

    def __init__(self, decode: Callable[[Path], Slice], most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._decode = decode
        self._kept: OrderedDict[tuple[Path, int], Slice] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def kept_bytes(self) -> int:
        """What is kept now."""
        with self._lock:
            return self._held()

    def slice_of(self, path: Path) -> Slice:
        """The slice of a file; decoded anew when the file has changed.

        Raises:
            FileNotFoundError: the file is gone.
        """
        key = (path, path.stat().st_mtime_ns)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        decoded = self._decode(path)
        with self._lock:
            self._kept[key] = decoded
            while self._held() > self.most_bytes:
                self._kept.popitem(last=False)  # the one itself where it is larger than all room
        return decoded

    def _held(self) -> int:
        return sum(each.nbytes for each in self._kept.values())
