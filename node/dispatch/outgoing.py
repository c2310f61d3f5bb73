"""An instance on disk that is to go to a destination, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

PREAMBLE_BYTES = 132
GROUP_LENGTH_BYTES = 12
"""(0002,0000) itself: tag, VR, length and a four byte value, PS3.10 7.1."""


@dataclass(frozen=True)
class Outgoing:
    """A derived instance as it lies in a Part 10 file.

    Attributes:
        path: the file.
        offset: where the data set begins, after the File Meta Information.
        sop_class_uid, sop_instance_uid: from the File Meta Information.
        transfer_syntax_uid: in which it goes.
        encoded_anew: the file is in another transfer syntax, uncompressed as well.
    """

    path: Path
    offset: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    encoded_anew: bool = False

    def taken_in(self, transfer_syntaxes: Sequence[str]) -> Outgoing:
        """The same, in a transfer syntax that a peer takes.

        Args:
            transfer_syntaxes: uncompressed, little endian; the best first.
        """
        if self.transfer_syntax_uid in transfer_syntaxes:
            return self
        return replace(self, transfer_syntax_uid=transfer_syntaxes[0], encoded_anew=True)

    def data_set(self) -> bytes:
        """The data set in its transfer syntax, without File Meta Information."""
        if not self.encoded_anew:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read()
        content, ds = BytesIO(), pydicom.dcmread(self.path)
        del ds.file_meta
        ds.preamble = None  # else pydicom writes it before the data set
        implicit = UID(self.transfer_syntax_uid).is_implicit_VR
        ds.save_as(content, implicit_vr=implicit, little_endian=True)
        return content.getvalue()

    @property
    def context(self) -> tuple[str, str]:
        """The presentation context that it needs: (SOP class, transfer syntax)."""
        return self.sop_class_uid, self.transfer_syntax_uid


@dataclass(frozen=True)
class Answer:
    """What a destination said about one instance.

    Attributes:
        sop_instance_uid: of the instance.
        code: DIMSE status (PS3.7 annex C), or the HTTP status of a web service.
        kept: the destination has it, perhaps with a warning.
        again: it does not, but may take it later.
    """

    sop_instance_uid: str
    code: int
    kept: bool
    again: bool = False


OnAnswer: TypeAlias = Callable[[Answer], None]
"""Called for every answer, in order; what it raises stops the sending."""


def read_outgoing(path: Path) -> Outgoing:
    """Read the File Meta Information of a derived file (PS3.10 7.1)."""
    meta = read_file_meta_info(path)
    return Outgoing(
        path=path,
        offset=PREAMBLE_BYTES + GROUP_LENGTH_BYTES + int(meta.FileMetaInformationGroupLength),
        sop_class_uid=str(UID(meta.MediaStorageSOPClassUID)),
        sop_instance_uid=str(UID(meta.MediaStorageSOPInstanceUID)),
        transfer_syntax_uid=str(UID(meta.TransferSyntaxUID)),
    )


def contexts_of(instances: Iterable[Outgoing]) -> list[tuple[str, str]]:
    """One presentation context for each (SOP class, transfer syntax) that is present."""
    return sorted({instance.context for instance in instances})
