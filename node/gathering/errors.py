"""What can go wrong while images are gathered.

The tree:

    GatherError
    └── ArchiveError     the archive did not answer, or not as DICOM says
"""

from __future__ import annotations

from node.errors import NodeError


class GatherError(NodeError):
    """Images cannot be gathered."""


class ArchiveError(GatherError):
    """The archive did not answer, or not as DICOM says."""
