"""What can go wrong between us and a destination.

The tree:

    DispatchError
    ├── DestinationUnavailable   try again later: down, slow, aborting, out of resources
    ├── InstancesLost            it said that it stored them, and does not have them
    └── DestinationRefuses       no repetition mends it: a person has to change something
        └── ServiceNotOffered    it knows no storage commitment, or no C-FIND
"""

from __future__ import annotations

from node.errors import NodeError


class DispatchError(NodeError):
    """The destination did not take what we sent."""


class DestinationUnavailable(DispatchError):  # noqa: N818 - says what it is
    """The destination cannot take it now; the same may succeed later."""


class InstancesLost(DispatchError):  # noqa: N818
    """The destination said that it stored an instance, and does not have it; it is sent again."""


class DestinationRefuses(DispatchError):  # noqa: N818
    """The destination will never take this, unless its settings or ours change."""


class ServiceNotOffered(DestinationRefuses):
    """The destination does not offer the service that was asked for."""
