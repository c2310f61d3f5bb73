"""Encoded data sets as they travel in a C-STORE, and what is announced with them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from node.spool import ReceivedFacts
from tests.synthetic import compress, write_ct_dataset

ASSOCIATION = "a1b2c3d4e5f6"


def small_ct(**attributes: Any) -> Dataset:
    """A CT slice of 8 x 8 pixels."""
    return write_ct_dataset(np.zeros((8, 8), np.float32), **attributes)


def facts_of(ds: Dataset) -> ReceivedFacts:
    """What a sender announces of a data set with file meta."""
    return ReceivedFacts(
        ds.SOPClassUID,
        ds.SOPInstanceUID,
        ds.file_meta.TransferSyntaxUID,
        "PACS",
        "VSCANNER",
        ASSOCIATION,
    )


def encoded(ds: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set in a transfer syntax, which its file meta then names."""
    compress(ds, transfer_syntax)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == DeflatedExplicitVRLittleEndian:
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        return dataset_bytes(buffer.getvalue())
    stream = pydicom.filebase.DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, syntax.is_implicit_VR
    write_dataset(stream, ds)
    return stream.getvalue()


def dataset_bytes(part10: bytes) -> bytes:
    """A Part 10 file without preamble and File Meta Information."""
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder but the notes on associations and working names."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json" and not path.parent.name.startswith(".")
    )


def same_series(count: int) -> list[Dataset]:
    """Several slices of one series."""
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return [small_ct(InstanceNumber=number + 1, **uids) for number in range(count)]
