"""The key: which case is real. It lies outside the node until it is opened.

Whoever makes a reading gets the key as a file, and the reading publishes its SHA-256 at the start.
The key holds a random number of 256 bits, so that the digest cannot be guessed back to the truth
by trying all of them; and it cannot be changed afterwards without the digest telling.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from dicom_profiles.encoding.part10 import sync_folder
from node.reading.errors import ReadingError, WrongKey
from node.reading.study import Record, Study

Truth = Literal["real", "synthetic"]
NONCE_BYTES = 32


class CaseTruth(Record):
    """What one case is.

    Attributes:
        truth: real or synthetic.
        series: Series Instance UID of its images.
        first_slice: where the case begins in its series, counted from 0 along the normal.
        pixels_sha256: of the case as the readers see it.
    """

    truth: Truth
    series: str
    first_slice: int
    pixels_sha256: str


class Key(Record):
    """The truth of every case of one reading."""

    name: str
    seed: int
    resampled: bool
    cases: dict[str, CaseTruth]
    nonce: str = Field(default_factory=lambda: secrets.token_hex(NONCE_BYTES))

    def counts(self) -> Counter[str]:
        """How many cases are real, how many synthetic."""
        return Counter(case.truth for case in self.cases.values())

    def to_bytes(self) -> bytes:
        """The key file; the same key always gives the same bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    def commitment(self) -> str:
        """SHA-256 of the key file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def refuse_place(path: Path) -> None:
    """Say before the work that a key cannot be written there.

    Raises:
        ReadingError: there is such a file already, or no such folder.
    """
    if path.exists():
        raise ReadingError(f"{path} exists already; a key is never overwritten.")
    if not path.parent.is_dir():
        raise ReadingError(f"There is no folder {path.parent} for the key; make it first.")


def write_key(key: Key, path: Path) -> None:
    """Write the key for its keeper alone, synced.

    Raises:
        ReadingError: there is such a file already.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ReadingError(f"{path} exists already; a key is never overwritten.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.to_bytes())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def open_key(path: Path, study: Study) -> Key:
    """The key of a study, proven to be the one that was committed to.

    Raises:
        WrongKey: unreadable, of another reading, or changed since.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongKey(f"The key {path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(data).hexdigest()
    if found != study.key_sha256:
        raise WrongKey(
            f"The key should have the SHA-256 {study.key_sha256} that the reading published, got "
            f"{found}: it is of another reading, or was changed."
        )
    try:
        key = Key.model_validate_json(data)
    except ValidationError as error:
        raise WrongKey(f"{path} has the right digest, but is no key.") from error
    if key.name != study.name or set(key.cases) != set(study.cases):
        raise WrongKey("The key names other cases than the reading; make the reading anew.")
    return key
