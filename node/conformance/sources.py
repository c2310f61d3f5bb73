"""Phantom sources of the conformance tables: two variants that differ in all that may differ.

Every type 1 and 2 attribute of CT Image, MR Image and Digital Mammography X-Ray Image Storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from dicom_profiles.codes import code_sequence

SLICES = 3
CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
}
NOT_OF: dict[str, tuple[str, ...]] = {
    "CT": (),
    "MR": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "MG": (
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
        *("SliceLocation", "PatientPosition", "RescaleIntercept", "RescaleSlope", "RescaleType"),
    ),
}
"""Attributes of an image in the patient's frame, or with a scale, that a class does not have."""


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


def write_source(variant: Variant, modality: str, place: int, folder: Path) -> list[Path]:
    """A phantom source.

    Args:
        variant: which of the two.
        modality: CT, MR or MG.
        place: of the input among those of its pipeline; echoes are told apart by it.
        folder: made when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(1 if modality == "MG" else SLICES):
        ds = Dataset()
        own = {"CT": _ct, "MR": _mr, "MG": _mammogram}[modality](variant, place)
        for part in (_study(variant), _series(variant), own, _image(variant, index)):
            for keyword, value in part.items():
                setattr(ds, keyword, value)
        _tell_apart(ds, modality, f"{variant.number}{place}", index)
        paths.append(_saved(ds, variant, index, folder))
    return paths


def _tell_apart(ds: Dataset, modality: str, number: str, index: int) -> None:
    """UIDs of this source's own, and nothing that its class does not have."""
    ds.Modality = modality
    ds.SOPClassUID = CLASSES[modality]
    ds.SeriesInstanceUID = f"2.25.2{number}"
    ds.SOPInstanceUID = f"2.25.4{number}{index}"
    for keyword in NOT_OF[modality]:
        del ds[keyword]


def _saved(ds: Dataset, variant: Variant, index: int, folder: Path) -> Path:
    random = np.random.default_rng(10 * variant.number + index)
    values = random.integers(900, 1200, (variant.size,) * 2)
    ds.PixelData = values.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
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


def _acquired(variant: Variant) -> dict[str, Any]:
    n, date = variant.number, variant.date
    return {
        "AcquisitionDate": date,
        "AcquisitionTime": f"10160{n}",
        "ContentDate": date,
        "ContentTime": f"10161{n}",
        "AcquisitionNumber": n,
    }


def _ct(variant: Variant, _place: int) -> dict[str, Any]:
    n = variant.number
    code = Code(
        f"11369{n - 1}",
        "DCM",
        ("IEC Head Dosimetry Phantom", "IEC Body Dosimetry Phantom")[n - 1],
    )
    return {
        **_acquired(variant),
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "IrradiationEventUID": f"2.25.5{n}",
        "KVP": str(100 + 20 * n),
        "ExposureTime": str(400 + n),
        "XRayTubeCurrent": str(30 + n),
        "Exposure": str(10 + n),
        "CTDIvol": 1.0 + n,
        "CTDIPhantomTypeCodeSequence": code_sequence([code]),
        "ConvolutionKernel": f"B{n}0f",
        "SpiralPitchFactor": 1.0 + n / 10,
        "DataCollectionDiameter": str(500 + n),
        "ReconstructionDiameter": str(60 + n),
        "GantryDetectorTilt": ("0", "0.0")[n - 1],
        "FilterType": ("FLAT", "WEDGE")[n - 1],
    }


def _mr(variant: Variant, place: int) -> dict[str, Any]:
    n = variant.number
    return {
        **_acquired(variant),
        "ImageType": ["ORIGINAL", "PRIMARY", "M", ("IN_PHASE", "OUT_PHASE")[place % 2]],
        "EchoTime": ("4.6", "2.3")[place % 2],
        "EchoNumbers": 2 - place % 2,
        "MagneticFieldStrength": "1.5",
        "RepetitionTime": str(110 + n),
        "FlipAngle": str(60 + n),
        "EchoTrainLength": n,
        "MRAcquisitionType": ("2D", "3D")[n - 1],
        **{"ScanningSequence": "GR", "SequenceVariant": "SP", "ScanOptions": ""},
    }


def _mammogram(variant: Variant, _place: int) -> dict[str, Any]:
    """PS3.3 C.8.11.1 to C.8.11.7: a low-energy image."""
    n = variant.number
    view = (Code("399162004", "SCT", "cranio-caudal"), Code("399368009", "SCT", "medio-lateral "
            "oblique"))[n - 1]  # fmt: skip
    views = code_sequence([view])
    views[0].ViewModifierCodeSequence = Sequence()
    return {
        **_acquired(variant),
        "ImageType": ["ORIGINAL", "PRIMARY", "", "LOW_ENERGY"],
        "PresentationIntentType": "FOR PRESENTATION",
        "BodyPartExamined": "BREAST",
        "ImageLaterality": "LR"[n - 1],
        "ViewPosition": ("CC", "MLO")[n - 1],
        "ViewCodeSequence": views,
        "AnatomicRegionSequence": code_sequence([Code("76752008", "SCT", "Breast")]),
        "PatientOrientation": (["A", "R"], ["P", "FL"])[n - 1],
        **{"OrganExposed": "BREAST", "PositionerType": "MAMMOGRAPHIC"},
        "AcquisitionDeviceProcessingCode": "GEMS_FFDM_PV",
        "AcquisitionContextSequence": Sequence(),
        "ImagerPixelSpacing": [f"0.{n}", f"0.{n}"],
        **{"KVP": str(28 + n), "BodyPartThickness": str(50 + n), "CompressionForce": str(90 + n)},
        "PositionerPrimaryAngle": str(45 * (n - 1)),
        "DetectorType": "SCINTILLATOR",
        "FieldOfViewOrigin": ["0", "0"],
        **{"FieldOfViewRotation": "0", "FieldOfViewHorizontalFlip": ("NO", "YES")[n - 1]},
        "BreastImplantPresent": "NO",
        **{"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1},
        **{"PresentationLUTShape": "IDENTITY", "BurnedInAnnotation": "NO"},
    }


def _image(variant: Variant, index: int) -> dict[str, Any]:
    n, z = variant.number, f"{variant.number + index * float(variant.thickness):g}"
    return {
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
