"""Tables on standard output: nothing is cut off, whether a person or a program reads them."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

FILE_COLUMNS = 240
"""Width where the output is no terminal: a UID stays in one piece, so that it can be searched."""


def output() -> Console:
    """Standard output, as wide as the terminal or as a file may be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else FILE_COLUMNS)


def folding_table(*headings: str) -> Table:
    """A table whose values go on in the next line where they do not fit."""
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
