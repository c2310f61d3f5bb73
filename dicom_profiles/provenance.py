"""What was done, with what, to what: the record in private group 0099 of every image.

Canonical JSON, its digest beside it. Private elements as PS3.5 7.8.1; declared
safe to keep in Private Data Element Characteristics (PS3.3 C.12.1).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_profiles.encoding.element_bytes import text_bytes
from dicom_profiles.equipment import SOFTWARE_VERSION, ModelIdentity
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.sources.source import Sources, all_instance_uids
from dicom_profiles.uids import JSON, PROFILE_VERSION, canonical_json, job_uid

PRIVATE_GROUP = 0x0099
FIRST_BLOCK = 0x10
"""Ours are the only private elements of the group, so they get its first block (PS3.5 7.8.1)."""
PRIVATE_CREATOR = "VSCANNER PROVENANCE 1.0"
ENCODED_CREATOR = PRIVATE_CREATOR.encode() + b" " * (len(PRIVATE_CREATOR) % 2)
SCHEMA_VERSION = "1"
RESEARCH_ONLY = "RESEARCH_ONLY"
VERDICTS = ("GREEN", "AMBER", "RED", "UNGATED")

# Elements of the block: name -> (offset, VR).
ELEMENTS: dict[str, tuple[int, str]] = {
    "schema": (0x01, "LO"),
    "kind": (0x02, "CS"),
    "record": (0x03, "UT"),
    "record_sha256": (0x04, "LO"),
    "model": (0x05, "LO"),
    "weights_sha256": (0x06, "LO"),
    "config_sha256": (0x07, "LO"),
    "source_pixels_sha256": (0x08, "LO"),
    "output_pixels_sha256": (0x09, "LO"),
    "job_uid": (0x0A, "UI"),
    "use": (0x0B, "CS"),
    "verdict": (0x0D, "CS"),
    "input_distance": (0x0E, "FD"),
}


@dataclass(frozen=True)
class Derivation:
    """Everything that the writers need beside pixels.

    Attributes:
        model: which model ran.
        parameters: its parameters.
        record: the pipeline's record: engine, device, measurements, reasons; no times. Its
            `output_sha256` is the digest of all that the pipeline gave.
        qc_verdict: one of `VERDICTS`; UNGATED when the gate was skipped for research.
        input_distance: out-of-distribution score of the input.
        created: time of synthesis with its zone, fixed once for a job, so that a repeat
            gives the same bytes.
        ae_title: of the node.
    """

    model: ModelIdentity
    parameters: Mapping[str, JSON]
    record: Mapping[str, JSON]
    qc_verdict: str
    input_distance: float
    created: datetime
    ae_title: str

    def __post_init__(self) -> None:
        if self.qc_verdict not in VERDICTS:
            raise DerivedObjectError(
                f"A QC verdict is one of {', '.join(VERDICTS)}, got {self.qc_verdict!r}."
            )
        if self.created.tzinfo is None:
            raise DerivedObjectError("The time of synthesis needs a time zone, got none.")

    @property
    def config_sha256(self) -> str:
        """Digest of the parameters."""
        return text_sha256(canonical_json(dict(self.parameters)))

    @property
    def identity(self) -> dict[str, object]:
        """What makes two derivations of the same sources the same series.

        The output is part of it: made anew by another engine, or on a GPU, pixels may be rounded
        otherwise, and then lie in a series of their own, never beside the old ones in one.
        """
        return {
            "model": self.model.name,
            "version": self.model.version,
            "weights_sha256": self.model.weights_sha256,
            "config_sha256": self.config_sha256,
            "output_sha256": self.record.get("output_sha256", ""),
            "verdict": "UNGATED" if self.qc_verdict == "UNGATED" else "",
        }


@dataclass(frozen=True)
class Provenance:
    """The record of one derived series.

    Attributes:
        kind: what was made, for example "DEN".
        text: canonical JSON of the record.
        job_uid: UID of the work.
        derivation: what was recorded.
    """

    kind: str
    text: str
    job_uid: str
    derivation: Derivation

    @classmethod
    def of(cls, kind: str, sources: Sources, derivation: Derivation) -> Provenance:
        """Make the record; the sources stand in it by count and digest, in the SR by name."""
        try:
            text = canonical_json(_record(kind, sources, derivation))
        except (TypeError, ValueError) as e:
            raise DerivedObjectError(
                f"The record should be plain JSON with finite numbers, but it is not: {e}"
            ) from e
        uid = job_uid(all_instance_uids(sources), derivation.identity)
        return cls(kind, text, uid, derivation)

    def block(self) -> Dataset:
        """The private block as far as all slices share it."""
        derivation = self.derivation
        return private_block(
            {
                "schema": SCHEMA_VERSION,
                "kind": self.kind,
                "record": self.text,
                "record_sha256": text_sha256(self.text),
                "model": derivation.model.label[:64],
                "weights_sha256": derivation.model.weights_sha256,
                "config_sha256": derivation.config_sha256,
                "job_uid": self.job_uid,
                "use": RESEARCH_ONLY,
                "verdict": derivation.qc_verdict,
                "input_distance": float(derivation.input_distance),
            }
        )


def _record(kind: str, sources: Sources, derivation: Derivation) -> dict[str, object]:
    """The record as plain JSON values."""
    model = derivation.model
    instances = sorted(all_instance_uids(sources))
    series = {source.series_instance_uid: None for source in sources.values()}
    return {
        "schema": SCHEMA_VERSION,
        "profile": PROFILE_VERSION,
        "software": SOFTWARE_VERSION,
        "kind": kind,
        "model": {**asdict(model), "device_uid": model.device_uid},
        "parameters": dict(derivation.parameters),
        "record": dict(derivation.record),
        "qc_verdict": derivation.qc_verdict,
        "input_distance": derivation.input_distance,
        "created": derivation.created.isoformat(),
        "ae_title": derivation.ae_title,
        "sources": {
            "inputs": {key: len(source) for key, source in sources.items()},
            "series": list(series),
            "instances": len(instances),
            "sop_instance_uids_sha256": text_sha256(canonical_json(instances)),
        },
    }


def private_block(values: Mapping[str, object]) -> Dataset:
    """Elements of group 0099 by their names in `ELEMENTS`, with the private creator."""
    ds = Dataset()
    block = ds.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    for name, value in values.items():
        offset, vr = ELEMENTS[name]
        block.add_new(offset, vr, value)
    return ds


def pixel_digests(source: str, output: str) -> Dataset:
    """What of the block is each image's own: SHA-256 of the pixels before and after."""
    return private_block({"source_pixels_sha256": source, "output_pixels_sha256": output})


def private_text(name: str, text: str) -> dict[int, bytes]:
    """One text element of the block, encoded, by its tag; the creator is the block's own."""
    tag = private_tag(name)
    return {tag: text_bytes(tag, ELEMENTS[name][1], text)}


def private_tag(name: str) -> int:
    """Tag of one element of the block as we write it."""
    return PRIVATE_GROUP << 16 | FIRST_BLOCK << 8 | ELEMENTS[name][0]


def read_private(ds: Dataset, name: str) -> object:
    """Value of one element of our block, None when the object has no such element."""
    try:
        value = ds[_private_place(ds, name)].value
    except KeyError:
        return None
    if not isinstance(value, bytes):
        return value
    # A receiver that does not know the block stores and returns it as UN (PS3.5 6.2.2).
    if ELEMENTS[name][1] == "FD":
        return struct.unpack("<d", value)[0] if len(value) == struct.calcsize("<d") else None
    return value.decode("ascii", "replace").strip(" \0")


def _private_place(ds: Dataset, name: str) -> int:
    """Tag of one element of our block, nearly always where we put it; KeyError without a block."""
    creator = ds.get_item(PRIVATE_GROUP << 16 | FIRST_BLOCK)
    if creator is not None and creator.value in (PRIVATE_CREATOR, ENCODED_CREATOR):
        return private_tag(name)
    block = ds.private_block(PRIVATE_GROUP, PRIVATE_CREATOR)
    return int(block.get_tag(ELEMENTS[name][0]))


def private_characteristics() -> Sequence:
    """Item of (0008,0300): a de-identifier may keep the block (PS3.15 E.3.10)."""
    item = Dataset()
    item.PrivateGroupReference = PRIVATE_GROUP
    item.PrivateCreatorReference = PRIVATE_CREATOR
    item.BlockIdentifyingInformationStatus = "SAFE"
    return Sequence([item])


def text_sha256(text: str) -> str:
    """SHA-256 of text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
