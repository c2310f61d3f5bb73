"""What can go wrong in this package.

The tree:

    NodeError
    ├── ConfigError        the configuration cannot be used; every fault with its line
    ├── QueryError         a peer did not answer a query
    ├── CommandError       a command cannot do what was asked
    └── further ones stand beside the code that raises them

Every message is for the person who can act on it: what was wanted, what came, what to do. Messages
carry UIDs and counts, never a patient's attributes.
"""

from __future__ import annotations

from collections.abc import Sequence


class NodeError(Exception):
    """The node cannot do what it was asked to."""


class ConfigError(NodeError):
    """The configuration cannot be used.

    Args:
        faults: one sentence for each fault, with its line where there is one.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class QueryError(NodeError):
    """A peer did not answer a query."""


class CommandError(NodeError):
    """A command cannot do what was asked."""
