"""What can be wrong with an instance that is to be stored.

    NodeError
    └── SpoolError
        ├── SpoolFull            no space; the sender should try again later
        ├── InstanceMismatch     the data set is not the one that was announced
        └── UnreadableDataset    the data set cannot be understood, or is cut short

The receiver and STOW-RS turn each of them into the status that the standard has for it.
"""

from __future__ import annotations

from node.errors import NodeError


class SpoolError(NodeError):
    """An instance was not stored."""


class SpoolFull(SpoolError):  # noqa: N818 - says what is wrong
    """There is no room for another instance."""


class InstanceMismatch(SpoolError):  # noqa: N818 - says what is wrong
    """SOP Class or Instance UID differ between the data set and what was announced."""


class UnreadableDataset(SpoolError):  # noqa: N818 - says what is wrong
    """The data set is truncated, malformed or lacks a UID that it must have."""
