"""C-FIND, study root: what a peer's index holds (PS3.4 C.4.1, C.6.2)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable

FIND = StudyRootQueryRetrieveInformationModelFind
PENDING = (0xFF00, 0xFF01)  # PS3.4 table C.4-1
PASSING = (*range(0xA700, 0xA800), *range(0xC000, 0xD000), 0x0110, 0x0213)
"""Out of resources, unable to process: what archives answer while their database is away."""
SUCCESS = 0x0000
MOST_MATCHES = 100_000
"""All are in memory; a peer that goes on and on would fill it."""


def identifier(level: str, **keys: str | None) -> Dataset:
    """What is asked (PS3.4 C.4.1.1.3).

    Args:
        level: STUDY, SERIES or IMAGE.
        keys: DICOM keyword to the value that is wanted; "" or None asks for whatever it is.
    """
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def find(association: Association, asked: Dataset, peer: PeerSettings) -> list[Dataset]:
    """All that matches.

    Raises:
        DestinationUnavailable: the peer says nothing, or cannot answer now.
        DestinationRefuses: it ends the query otherwise than with success, or not at all.
    """
    found = []
    for status, match in association.send_c_find(asked, FIND):
        code = status.get("Status") if status else None
        if code is None:
            raise DestinationUnavailable(f"{peer.name} did not answer a C-FIND request.")
        if code in PENDING and match is not None:
            found.append(match)
            if len(found) > MOST_MATCHES:
                raise DestinationRefuses(
                    f"{peer.name} should give at most {MOST_MATCHES} answers to one question, "
                    "got more; ask for fewer (dates, modalities)."
                )
        elif code in PASSING:
            raise DestinationUnavailable(
                f"{peer.name} cannot answer a C-FIND now: status {code:04X}H."
            )
        elif code not in (*PENDING, SUCCESS):
            raise DestinationRefuses(f"{peer.name} answered C-FIND with status {code:04X}H.")
    return found
