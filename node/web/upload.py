"""The instances of one STOW-RS request on their way into the spool."""

from __future__ import annotations

import logging
import struct
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dicom_profiles.storage import ACCEPTED_TRANSFER_SYNTAXES, STORAGE_CLASSES
from node.config import Config
from node.counters import CounterBuffer
from node.spool import InstanceMismatch, ReceivedFacts, Spool, SpoolFull, UnreadableDataset
from node.spooling.file_meta import FileMeta, read_file_meta
from node.spooling.incoming import IncomingFile
from node.web.multipart import (
    Event,
    MultipartError,
    PartData,
    PartEnd,
    PartStart,
    parse_content_type,
)

log = logging.getLogger(__name__)

# Failure Reasons, PS3.3 C.14.1.1 and PS3.4 table B.2-1
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
CLASS_NOT_SUPPORTED = 0x0122
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122

PREFIX_END = 132  # preamble and DICM, PS3.10 7.1
GROUP_LENGTH_END = PREFIX_END + 12
META_LIMIT_BYTES = 65_536
LONGEST_UID = 64  # PS3.5 9.1
MOST_REFUSED = 10_000
"""Instances that one request may have in vain: each is a line of the log and of the answer."""


class Refusal(Exception):  # noqa: N818 - the field's word
    """An instance is not taken.

    Args:
        reason: Failure Reason.
        sentence: for the log.
    """

    def __init__(self, reason: int, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


@dataclass(frozen=True)
class FailedInstance:
    """An instance that was not stored; without UIDs when it does not say which it is."""

    reason: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


@dataclass
class UploadResult:
    """What became of the instances; stored are (SOP Class UID, SOP Instance UID)."""

    stored: list[tuple[str, str]] = field(default_factory=list)
    failed: list[FailedInstance] = field(default_factory=list)
    series: Counter[str] = field(default_factory=Counter)

    def to_dicom_json(self) -> dict[str, Any]:
        """The Store Instances Response Module, PS3.18 table I.1-1."""
        named = [each for each in self.failed if each.sop_instance_uid]
        unnamed = [each for each in self.failed if not each.sop_instance_uid]
        # Retrieve URL (0008,1190) is empty: this node does not hand instances out.
        found: dict[str, Any] = {"00081190": {"vr": "UR"}}
        if self.stored:
            items = [{**_reference(*uids), "00081190": {"vr": "UR"}} for uids in self.stored]
            found["00081199"] = {"vr": "SQ", "Value": items}
        if named:
            items = [
                {**_reference(each.sop_class_uid, each.sop_instance_uid), **_reason(each)}
                for each in named
            ]
            found["00081198"] = {"vr": "SQ", "Value": items}
        if unnamed:  # Other Failures Sequence
            found["0008119A"] = {"vr": "SQ", "Value": [_reason(each) for each in unnamed]}
        return found


class Upload:
    """Takes the events of a multipart body and stores its instances one after the other.

    Args:
        spool: where they go.
        config: our AE title and the size limit.
        source_ae: AE title under which they are kept.
        name: of this request, in file names and logs.
        counts: totals of this process; what the database does not take waits there.
        study_instance_uid: of the study to which all of them belong, "" for any.
    """

    def __init__(
        self,
        spool: Spool,
        config: Config,
        source_ae: str,
        name: str,
        counts: CounterBuffer,
        study_instance_uid: str = "",
    ) -> None:
        self.result = UploadResult()
        self._spool = spool
        self._config = config
        self._source_ae = source_ae
        self._name = name
        self._counts = counts
        self._study = study_instance_uid
        self._head = bytearray()
        self._meta: FileMeta | None = None
        self._file: IncomingFile | None = None
        self._refused = False
        self._size_bytes = 0

    def take(self, event: Event) -> None:
        """The next event.

        Raises:
            MultipartError: too many instances were refused.
        """
        try:
            if isinstance(event, PartStart):
                self._start(event)
            elif self._refused:
                pass  # the rest of a refused part passes by, the next part has its own chance
            elif isinstance(event, PartData):
                self._write(event.data)
            elif isinstance(event, PartEnd):
                self._end()
        except (SpoolFull, InstanceMismatch, UnreadableDataset, Refusal) as error:
            self._refuse(error)

    def close(self) -> None:
        """The request is over, in whatever way: half an instance leaves nothing."""
        if self._file is not None:
            self._file.discard()
            self._file = None
        if self.result.series:
            note = {
                "association": self._name,
                "source_ae": self._source_ae,
                "outcome": "RELEASED",
                "ended": datetime.now(UTC).isoformat(),
                "series": dict(self.result.series),
            }
            self._spool.incoming.write_note(self._name, note)
        self._count()

    def _count(self) -> None:
        """Add to the totals: without a database too, as what came is safe without one."""
        for label, amount in (
            ("stored", len(self.result.stored)),
            ("refused", len(self.result.failed)),
        ):
            if amount:
                self._counts.add("stow_instances", label, amount)
        self._counts.flush(lambda: self._spool.database)

    def _start(self, event: PartStart) -> None:
        self._head.clear()
        self._meta, self._file = None, None
        self._refused, self._size_bytes = False, 0
        kind, _ = parse_content_type(event.headers.get("content-type", "application/dicom"))
        if kind != "application/dicom":
            raise Refusal(CANNOT_UNDERSTAND, f"A part needs application/dicom, got {kind[:40]!r}.")

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._head += data
            self._open_when_known()
        else:
            self._file.write(memoryview(data))
        self._size_bytes += len(data)
        if self._size_bytes > self._config.web.max_instance_bytes:
            raise Refusal(OUT_OF_RESOURCES, "An instance exceeds web.max_instance_bytes.")

    def _open_when_known(self) -> None:
        """Begin the file as soon as the whole File Meta Information is here."""
        if len(self._head) < GROUP_LENGTH_END:
            return
        (length,) = struct.unpack_from("<L", self._head, GROUP_LENGTH_END - 4)
        end = GROUP_LENGTH_END + length
        if self._head[PREFIX_END - 4 : PREFIX_END] != b"DICM" or end > META_LIMIT_BYTES:
            raise UnreadableDataset("A part needs a DICOM Part 10 file (PS3.10 7.1).")
        if len(self._head) < end:
            return
        meta = read_file_meta(bytes(self._head[:end]), end)
        uids = (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid)
        if not all(map(_may_be_repeated, uids)):
            raise UnreadableDataset("The File Meta Information needs UIDs, got other text.")
        self._meta = meta
        self._file = self._spool.incoming.begin(self._facts(meta))
        self._file.write(memoryview(bytes(self._head[end:])))

    def _facts(self, meta: FileMeta) -> ReceivedFacts:
        if meta.sop_class_uid not in STORAGE_CLASSES:
            raise Refusal(CLASS_NOT_SUPPORTED, f"SOP Class {meta.sop_class_uid} is not taken.")
        if meta.transfer_syntax_uid not in ACCEPTED_TRANSFER_SYNTAXES:
            sentence = f"Transfer syntax {meta.transfer_syntax_uid} is not taken."
            raise Refusal(TRANSFER_SYNTAX_NOT_SUPPORTED, sentence)
        return ReceivedFacts(
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            source_ae=self._source_ae,
            receiving_ae=self._config.node.ae_title,
            association=self._name,
            study_instance_uid=self._study,
        )

    def _end(self) -> None:
        if self._file is None:
            raise UnreadableDataset("A part ends before its data set begins.")
        identity = self._file.commit()
        self._file = None
        self.result.stored.append((identity.sop_class_uid, identity.sop_instance_uid))
        self.result.series[identity.series_instance_uid] += 1

    def _refuse(self, error: Exception) -> None:
        self._refused = True
        if self._file is not None:
            self._file.discard()
            self._file = None
        meta = self._meta
        uids = (meta.sop_class_uid, meta.sop_instance_uid) if meta else ("", "")
        self.result.failed.append(FailedInstance(failure_reason(error), *uids))
        facts = {"action": "instance_refused", "instance": uids[1], "request": self._name}
        log.warning("An instance was refused: %s", error, extra=facts)
        if len(self.result.failed) >= MOST_REFUSED:
            raise MultipartError(f"{MOST_REFUSED} instances were refused; the rest was not read.")


def failure_reason(error: Exception) -> int:
    """Failure Reason (0008,1197) of an error."""
    if isinstance(error, Refusal):
        return error.reason
    if isinstance(error, SpoolFull):
        return OUT_OF_RESOURCES
    return MISMATCH if isinstance(error, InstanceMismatch) else CANNOT_UNDERSTAND


def _may_be_repeated(uid: str) -> bool:
    """Whether it can be a UID, so that answer and log may name it."""
    return len(uid) <= LONGEST_UID and uid.isascii() and uid.isprintable()


def _reference(sop_class_uid: str, sop_instance_uid: str) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [sop_instance_uid]},
    }


def _reason(failed: FailedInstance) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [failed.reason]}}
