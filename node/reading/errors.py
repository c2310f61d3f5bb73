"""What can go wrong in a blind reading.

The tree:

    NodeError
    └── ReadingError
        ├── UnfitMaterial    the images would give the truth away, or are none
        ├── WrongKey         the key is not the one that was committed to
        ├── UnknownReading   there is no such reading, reader or case
        └── ReadingClosed    the key was opened: no answer counts any more
"""

from __future__ import annotations

from node.errors import NodeError


class ReadingError(NodeError):
    """A blind reading cannot do what was asked."""


class UnfitMaterial(ReadingError):  # noqa: N818 - what is wrong is the material
    """The images cannot be read blindly."""


class WrongKey(ReadingError):  # noqa: N818 - what is wrong is the key
    """The key is not the one whose digest was published."""


class UnknownReading(ReadingError):  # noqa: N818 - the sentence names what is unknown
    """There is no such reading, reader or case."""


class ReadingClosed(ReadingError):  # noqa: N818 - the state is the reason
    """The key was opened."""

    def __init__(self) -> None:
        super().__init__("This reading is closed: its key was opened, no answer counts any more.")
