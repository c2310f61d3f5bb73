"""Names that stand for people and objects: the same for the same salt, telling nothing without it.

Everything is a keyed digest (HMAC-SHA-256) of what it stands for. Whoever has the salt can find out
whether a certain person is in a data set; so it stays with the site and never in the data set.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from dicom_profiles.errors import ProfileError

SALT_BYTES = 32
SPLITS = (("train", 0.8), ("validation", 0.9), ("test", 1.0))
"""Sides of the split, each with the upper end of its share."""
DICOM_ROOT = "1.2.840.10008."
"""UIDs below it are the standard's own, and say nothing about anybody (PS3.6 annex A)."""


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms by one salt.

    Args:
        salt: the site's secret.
    """

    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) < SALT_BYTES:
            raise ProfileError(
                f"A salt needs {SALT_BYTES} bytes or more, got {len(self.salt)}; "
                "name another file, one that does not exist is made."
            )

    def patient(self, patient_id: str) -> str:
        """What stands for a patient, in names of folders and in Patient ID."""
        return f"P{self._digest('patient', patient_id.strip()).hex()[:12].upper()}"

    def split(self, patient_id: str) -> str:
        """The side of the split: it depends on the patient alone, so it stays as a set grows."""
        digest = self._digest("split", patient_id.strip())
        place = int.from_bytes(digest[:8], "big") / 2**64
        return next(name for name, end in SPLITS if place < end)

    def uid(self, uid: str) -> str:
        """What stands for a UID: itself for the standard's own, else a UUID (PS3.5 B.2)."""
        if uid.startswith(DICOM_ROOT) or not uid:
            return uid
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=5).int}"

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.digest(self.salt, f"{kind}\0{value}".encode(), hashlib.sha256)


def kept_salt(path: Path) -> Pseudonyms:
    """Pseudonyms by the salt in a file, which only its owner can read; made where there is none.

    Raises:
        ProfileError: the file holds no salt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Pseudonyms(path.read_bytes())
    with os.fdopen(file, "wb") as new:
        new.write(secrets.token_bytes(SALT_BYTES))
        new.flush()
        os.fsync(new.fileno())
    return Pseudonyms(path.read_bytes())
