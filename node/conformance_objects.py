"""Attribute tables of the objects that we create, made from objects that were really written.

Two phantom sources that differ in all that may differ go through the real writers, their own
pixels standing for a translation. What is the same in both results is fixed, what follows its own
source is copied, the rest is made for each object.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import ELEMENTS, Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_series
from pipelines.contract import EngineFacts, QualityRecord

SLICES = 3
LONGEST_VALUE = 64
NOT_OPENED = ("ContentSequence", "SharedFunctionalGroupsSequence")
"""Sequences whose items are a tree of their own, described by a template."""

COPIED, FIXED, MADE = "copied from the source", "fixed", "made for each object"

Path_ = tuple[tuple[int, int], ...]
"""(tag, item) from the top of a data set to an element."""


@dataclass(frozen=True)
class AttributeRow:
    """One attribute of a created object.

    Attributes:
        depth: 0 at the top of the data set, 1 in an item of a sequence.
        tag: as (gggg,eeee).
        name: of the attribute.
        vr: its value representation.
        origin: copied, fixed or made.
        value: of a fixed attribute, shortened.
    """

    depth: int
    tag: str
    name: str
    vr: str
    origin: str
    value: str


@dataclass(frozen=True)
class Variant:
    """What differs between the two sources."""

    number: int
    text: str
    date: str
    thickness: str
    characters: str
    size: int
    orientation: tuple[str, ...]
    intercept: int


HEAD_FIRST = ("1", "0", "0", "0", "1", "0")
FEET_FIRST = ("-1", "0", "0", "0", "-1", "0")
VARIANTS = (
    Variant(1, "LOW DOSE CHEST", "20250310", "3.0", "ISO_IR 100", 16, HEAD_FIRST, -1024),
    Variant(2, "THORAX SCREENING", "20240511", "2.5", "ISO_IR 192", 24, FEET_FIRST, -1000),
)


def created_objects() -> dict[str, list[AttributeRow]]:
    """The attribute table of every kind of object that we write."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_write(variant, Path(folder)) for variant in VARIANTS)
    return {
        name: list(_rows(first[name], second[name], first["source"], second["source"]))
        for name in first
        if name != "source"
    }


def _write(variant: Variant, folder: Path) -> dict[str, Dataset]:
    """Write a source and everything that is derived from it; one object of each kind."""
    sources = folder / f"source-{variant.number}"
    sources.mkdir()
    source = open_series([_write_source(variant, sources, index) for index in range(SLICES)])
    derivation = _derivation(variant)
    images = write_denoised_ct(source, source.slices(), derivation, folder / f"i{variant.number}")
    report = write_qc_report({"CT": source}, [images], derivation, folder / f"r{variant.number}")
    label = write_label({"CT": source}, images, derivation, folder / f"l{variant.number}")
    return {
        "source": source.headers[0],
        "Denoised CT (CT Image)": pydicom.dcmread(images.paths[0]),
        "QC / provenance report (Comprehensive 3D SR, TID 1500)": pydicom.dcmread(report.paths[0]),
        "Label (Grayscale Softcopy Presentation State)": pydicom.dcmread(label.paths[0]),
    }


def _derivation(variant: Variant) -> Derivation:
    model = {"name": "sample", "version": f"{variant.number}.0.0", "weights_sha256": "0" * 64}
    record = QualityRecord(
        verdict=("GREEN", "AMBER")[variant.number - 1],
        reasons=(variant.text,),
        input_distance=float(variant.number),
        measurements={"noise_before_hu": 30.0 * variant.number, "noise_after_hu": 10.0},
        parameters={"strength": 1.0 / variant.number},
        model=model,
        engine=EngineFacts("torch", "cpu", variant.text, "fp32", {}, 0.0),
        slices=SLICES,
    )
    return Derivation(
        model=ModelIdentity(
            f"sample{variant.number}", f"{variant.number}.0.0", f"{variant.number}" * 64, True
        ),
        parameters=record.parameters,
        record=record.to_json(),
        qc_verdict=record.verdict,
        input_distance=record.input_distance,
        created=datetime(2025, variant.number, 7, 8, 9, variant.number, tzinfo=UTC),
        ae_title=f"NODE{variant.number}",
    )


def _write_source(variant: Variant, folder: Path, index: int) -> Path:
    """One slice of a phantom source: every type 1 and 2 attribute of CT Image Storage."""
    n = variant.number
    ds = Dataset()
    for part in (_study(variant), _series(variant), _acquisition(variant), _image(variant, index)):
        for keyword, value in part.items():
            setattr(ds, keyword, value)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = f"11369{n - 1}", "DCM"
    code.CodeMeaning = ("IEC Head Dosimetry Phantom", "IEC Body Dosimetry Phantom")[n - 1]
    ds.CTDIPhantomTypeCodeSequence = Sequence([code])
    values = np.random.default_rng(10 * n + index).integers(900, 1200, (variant.size,) * 2)
    ds.PixelData = values.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{index}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def _study(variant: Variant) -> dict[str, Any]:
    n, text, date = variant.number, variant.text, variant.date
    return {
        "SpecificCharacterSet": variant.characters,
        "PatientName": f"Phantom^{text.title()}",
        "PatientID": f"PHANTOM-{n}",
        "PatientBirthDate": f"196{n}0101",
        "PatientSex": "MF"[n - 1],
        "StudyInstanceUID": f"2.25.1{n}",
        "StudyDate": date,
        "StudyTime": f"10150{n}",
        "StudyID": str(n),
        "StudyDescription": f"CT {text}",
        "AccessionNumber": f"ACC-{n}",
        "ReferringPhysicianName": f"Referrer^{n}",
    }


def _series(variant: Variant) -> dict[str, Any]:
    n, text, date = variant.number, variant.text, variant.date
    return {
        "Modality": "CT",
        "SeriesInstanceUID": f"2.25.2{n}",
        "SeriesNumber": 2 + n,
        "SeriesDate": date,
        "SeriesTime": f"10160{n}",
        "SeriesDescription": text,
        "ProtocolName": text,
        "BodyPartExamined": ("CHEST", "THORAX")[n - 1],
        "PatientPosition": ("HFS", "FFS")[n - 1],
        "FrameOfReferenceUID": f"2.25.3{n}",
        "PositionReferenceIndicator": ("SN", "XY")[n - 1],
        "Manufacturer": f"MAKER {n}",
        "ManufacturerModelName": f"Scanner {n}",
        "InstitutionName": f"Hospital {n}",
        "StationName": f"CT{n}",
        "DeviceSerialNumber": f"000{n}",
        "SoftwareVersions": f"scanner {n}",
    }


def _acquisition(variant: Variant) -> dict[str, Any]:
    n, date = variant.number, variant.date
    return {
        "AcquisitionDate": date,
        "AcquisitionTime": f"10160{n}",
        "ContentDate": date,
        "ContentTime": f"10161{n}",
        "AcquisitionNumber": n,
        "IrradiationEventUID": f"2.25.5{n}",
        "KVP": str(100 + 20 * n),
        "ExposureTime": str(400 + n),
        "XRayTubeCurrent": str(30 + n),
        "Exposure": str(10 + n),
        "CTDIvol": 1.0 + n,
        "ConvolutionKernel": f"B{n}0f",
        "SpiralPitchFactor": 1.0 + n / 10,
        "DataCollectionDiameter": str(500 + n),
        "ReconstructionDiameter": str(60 + n),
        "GantryDetectorTilt": ("0", "0.0")[n - 1],
        "FilterType": ("FLAT", "WEDGE")[n - 1],
    }


def _image(variant: Variant, index: int) -> dict[str, Any]:
    n, z = variant.number, f"{variant.number + index * float(variant.thickness):g}"
    return {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"2.25.4{n}{index}",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "InstanceNumber": index + n,
        "ImagePositionPatient": [f"-{n}0.0", f"-{n}0.0", z],
        "ImageOrientationPatient": list(variant.orientation),
        "PixelSpacing": [f"0.{n}5", f"0.{n}5"],
        "SliceThickness": variant.thickness,
        "SliceLocation": z,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": variant.size,
        "Columns": variant.size,
        **{"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0},
        "RescaleIntercept": str(variant.intercept),
        **{"RescaleSlope": "1", "RescaleType": "HU", "LossyImageCompression": "00"},
        **{"WindowCenter": str(40 + n), "WindowWidth": str(400 + n)},
    }


def _rows(
    first: Dataset, second: Dataset, source: Dataset, other_source: Dataset
) -> Iterator[AttributeRow]:
    """The table of one kind of object, from the two that were written."""
    flat, flat_other = dict(_flat(first)), dict(_flat(second))
    known, known_other = dict(_flat(source)), dict(_flat(other_source))
    for path, element in flat.items():
        value, other = _text(element), _text(flat_other.get(path))
        varied = _text(known.get(path)) != _text(known_other.get(path))
        origin = FIXED if value == other else MADE
        if path in known and value == _text(known[path]) and other == _text(known_other.get(path)):
            origin = COPIED if varied or value != other else FIXED
        shown = value if origin == FIXED and element.VR != "SQ" else ""
        name = element.name.strip("[]") if not element.tag.is_private else _private_name(element)
        tag = f"({element.tag.group:04X},{element.tag.element:04X})"
        yield AttributeRow(len(path) - 1, tag, name, str(element.VR), origin, _short(shown))


def _flat(ds: Dataset, above: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Elements of the data set and of the items one level below, in order of their tags."""
    for element in ds:
        path = (*above, (int(element.tag), 0))
        yield path, element
        if element.VR == "SQ" and not above and element.keyword not in NOT_OPENED:
            for index, item in enumerate(element.value):
                yield from _flat(item, ((int(element.tag), index),))


def _text(element: Any) -> str:
    if element is None:
        return "absent"
    if element.VR == "SQ":
        return repr([item.to_json() for item in element.value])
    if isinstance(element.value, bytes):
        return f"{len(element.value)} bytes, SHA-256 {hashlib.sha256(element.value).hexdigest()}"
    if isinstance(element.value, MultiValue | list):
        return "\\".join(map(str, element.value))
    return str(element.value) if element.VM != 0 else ""


def _private_name(element: Any) -> str:
    offsets: Mapping[int, str] = {offset: name for name, (offset, _) in ELEMENTS.items()}
    name = offsets.get(element.tag.element & 0xFF, "private creator")
    return f"Provenance: {name.replace('_', ' ')}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
