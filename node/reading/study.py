"""The public side of a reading: nothing here, or derivable from it, tells the truth of a case.

`study.json` is readable by everybody on the node. Case tokens are random and sorted; the order in
which a reader sees them depends on the reader and the tokens only.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from node.reading.errors import UnknownReading

TOKEN_BYTES = 16
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"


class Record(BaseModel):
    """Base of what a reading keeps: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preset(Record):
    """A display window: centre and width in the unit of the study (PS3.3 C.11.2.1.2)."""

    label: str
    centre: float
    width: float


class Values(Record):
    """What the stored numbers of all cases mean: value = stored + offset, in `unit`."""

    unit: Literal["HU", "1"]
    offset: float
    windows: tuple[Preset, ...]
    inverted: bool = False  # dark is much, as PET is read


class Reader(Record):
    """One reader: a name that is no name, and the digest of the link that was given out."""

    alias: str
    link_sha256: str


class Study(Record):
    """A blind reading as everybody may know it."""

    name: str = Field(pattern=NAME_PATTERN)
    title: str
    question: str
    created: datetime
    modality: str
    shape: tuple[int, int, int]  # slices, rows, columns: the same for every case
    values: Values
    cases: tuple[str, ...]
    readers: tuple[Reader, ...]
    tags: dict[str, str]
    key_sha256: str  # the commitment: SHA-256 of the key file, which is kept elsewhere

    def reader_of(self, link: str) -> Reader:
        """The reader whose link this is.

        Raises:
            UnknownReading: nobody's.
        """
        digest = link_digest(link)
        for reader in self.readers:
            if secrets.compare_digest(reader.link_sha256, digest):
                return reader
        raise UnknownReading("There is no such reading here; was the whole link copied?")

    def order_of(self, alias: str) -> tuple[str, ...]:
        """The cases in the order in which this reader sees them: random, and always the same."""
        cases = sorted(self.cases)
        random.Random(f"{self.key_sha256}/{alias}").shuffle(cases)
        return tuple(cases)

    def case_at(self, alias: str, position: int) -> str:
        """The token of the case that a reader sees at a position, counted from 1.

        Raises:
            UnknownReading: there is no such position.
        """
        if not 1 <= position <= len(self.cases):
            raise UnknownReading(f"This reading has cases 1 to {len(self.cases)}, got {position}.")
        return self.order_of(alias)[position - 1]


def new_token() -> str:
    """A name that says nothing and cannot be guessed."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def link_digest(link: str) -> str:
    """What the study keeps of a reader's link."""
    return hashlib.sha256(link.encode()).hexdigest()
