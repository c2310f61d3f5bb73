"""Phantom CT series, written to disk as a scanner would write them.

Made, not fetched: nothing here shows a patient. Values are seeded, so a phantom
is the same on every machine; UIDs are fresh unless given.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

AIR_HU, LUNG_HU, SOFT_HU, BONE_HU = -1000.0, -850.0, 40.0, 700.0
INTERCEPT = -1024
UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


def phantom_slice(
    rows: int = 64,
    columns: int = 64,
    *,
    position: float = 0.0,
    noise_hu: float = 30.0,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """An axial slice, (rows, columns) in HU: body ellipse, two lungs, a spine, noise.

    `position` runs from -1 to 1 along the body and changes the size of the lungs.
    """
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    hu = np.full((rows, columns), AIR_HU)
    hu[(x / 0.85) ** 2 + (y / 0.65) ** 2 < 1] = SOFT_HU
    radius = 0.32 - 0.08 * abs(position)
    for side in (-1, 1):
        hu[((x - side * 0.4) / radius) ** 2 + (y / 0.42) ** 2 < 1] = LUNG_HU
    hu[(x / 0.12) ** 2 + ((y - 0.42) / 0.14) ** 2 < 1] = BONE_HU
    hu += np.random.default_rng(seed).normal(0.0, noise_hu, hu.shape)
    return hu.astype(np.float32)


def outside_field_of_view(rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Pixels outside the reconstruction circle: (rows, columns), True where padding belongs."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    outside: npt.NDArray[np.bool_] = x**2 + y**2 > 1
    return outside


def _patient_and_study(ds: Dataset) -> None:
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName = "Phantom^Jürgen"
    ds.PatientID = "PHANTOM-1"
    ds.PatientBirthDate = "19600101"
    ds.PatientSex = "M"
    ds.PatientAge = "065Y"
    ds.StudyDate, ds.StudyTime = "20250310", "101500"
    ds.AccessionNumber = "ACC-1"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "CT chest"
    ds.StudyID = "1"


def _series_and_equipment(ds: Dataset) -> None:
    ds.Modality = "CT"
    ds.SeriesNumber = 3
    ds.SeriesDate, ds.SeriesTime = "20250310", "101600"
    ds.SeriesDescription = "LOW DOSE CHEST 3.0"
    ds.ProtocolName = "LowDoseChest"
    ds.BodyPartExamined = "CHEST"
    ds.PatientPosition = "HFS"
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "PHANTOM WORKS"
    ds.ManufacturerModelName = "Phantom 16"
    ds.InstitutionName = "Phantom Hospital"
    ds.StationName = "CT1"
    ds.DeviceSerialNumber = "0001"
    ds.SoftwareVersions = "syn 1.0"


def _acquisition(ds: Dataset) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionDate, ds.AcquisitionTime = "20250310", "101605"
    ds.ContentDate, ds.ContentTime = "20250310", "101610"
    ds.AcquisitionNumber = 1
    ds.KVP = "120"
    ds.DataCollectionDiameter = "500"
    ds.ReconstructionDiameter = "60"
    ds.GantryDetectorTilt = "0"
    ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "500", "40", "18"
    ds.FilterType = "FLAT"
    ds.ConvolutionKernel = "B50f"
    ds.SpiralPitchFactor = 1.2
    ds.ExposureModulationType = "XYZ_EC"
    ds.CTDIvol = 1.2
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "113691", "DCM"
    code.CodeMeaning = "IEC Body Dosimetry Phantom"
    ds.CTDIPhantomTypeCodeSequence = Sequence([code])


def _pixel_description(ds: Dataset, rows: int, columns: int, signed: bool) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = (16, 16, 15) if signed else (16, 12, 11)
    ds.PixelRepresentation = int(signed)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(INTERCEPT), "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"


def write_ct_dataset(
    hu: npt.NDArray[np.float32] | None = None,
    *,
    padding_value: int | None = None,
    **attributes: Any,
) -> Dataset:
    """One axial CT slice with every type 1 and 2 attribute, uncompressed, with file meta.

    Args:
        hu: (rows, columns) in HU; a phantom slice of 64 x 64 when left out.
        padding_value: stored value outside the field of view; negative makes the pixels signed.
        attributes: DICOM keywords to set; None deletes the attribute. The rescale
            attributes are honoured when the stored values are computed.
    """
    hu = phantom_slice() if hu is None else hu
    ds = Dataset()
    _patient_and_study(ds)
    _series_and_equipment(ds)
    _acquisition(ds)
    _pixel_description(
        ds, hu.shape[0], hu.shape[1], padding_value is not None and padding_value < 0
    )
    ds.SOPClassUID = CTImageStorage
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(ds, keyword, generate_uid())
    ds.FrameOfReferenceUID, ds.IrradiationEventUID = generate_uid(), generate_uid()
    ds.InstanceNumber = 1
    ds.ImagePositionPatient = ["-30.0", "-30.0", "0.0"]
    ds.ImageOrientationPatient = ["1.0", "0.0", "0.0", "0.0", "1.0", "0.0"]
    ds.PixelSpacing = ["0.9375", "0.9375"]
    ds.SliceThickness, ds.SliceLocation = "3.0", "0.0"
    for keyword, value in attributes.items():
        if value is None:
            ds.pop(keyword, None)
        else:
            setattr(ds, keyword, value)
    _set_pixels(ds, hu, padding_value)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    return ds


def _set_pixels(ds: Dataset, hu: npt.NDArray[np.float32], padding_value: int | None) -> None:
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", -1024))
    signed = ds.PixelRepresentation == 1
    low, high = (
        (-(1 << ds.BitsStored - 1), (1 << ds.BitsStored - 1) - 1)
        if signed
        else (0, (1 << ds.BitsStored) - 1)
    )
    stored = np.clip(np.rint((hu - intercept) / slope), low, high)
    if padding_value is not None:
        ds.PixelPaddingValue = padding_value
        ds["PixelPaddingValue"].VR = "SS" if signed else "US"
        stored[outside_field_of_view(*hu.shape)] = padding_value
    ds.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    ds["PixelData"].VR = "OW"


def compress(ds: Dataset, transfer_syntax: str) -> None:
    """Bring an uncompressed data set into `transfer_syntax`, losslessly, under its own UID."""
    syntax = pydicom.uid.UID(transfer_syntax)
    if syntax not in UNCOMPRESSED:
        frame = get_encoder(syntax).encode(ds, index=0)
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax


def write_ct_series(
    folder: Path,
    *,
    slices: int = 12,
    rows: int = 64,
    columns: int = 64,
    spacing: tuple[float, float, float] = (3.0, 0.9375, 0.9375),
    series_description: str = "LOW DOSE CHEST 3.0",
    study_uid: str | None = None,
    series_uid: str | None = None,
    frame_of_reference: str | None = None,
    padding_value: int | None = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    noise_hu: float = 30.0,
    seed: int = 0,
    **attributes: Any,
) -> list[Path]:
    """Write a phantom CT series; returns its files in order of rising z.

    Args:
        folder: made when absent; files are named ct-0001.dcm and on.
        slices, rows, columns: shape of the series.
        spacing: (between slices, between rows, between columns) in mm.
        series_description: what the technologist would have typed.
        study_uid, series_uid, frame_of_reference: fresh ones when left out.
        padding_value: stored value outside the field of view, or no padding.
        transfer_syntax: any that can be written without loss here (see `compress`).
        noise_hu: standard deviation of the noise.
        seed: of the noise.
        attributes: further DICOM keywords, the same in every slice; None deletes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = {
        "SeriesDescription": series_description,
        "StudyInstanceUID": study_uid or generate_uid(),
        "SeriesInstanceUID": series_uid or generate_uid(),
        "FrameOfReferenceUID": frame_of_reference or generate_uid(),
        "IrradiationEventUID": generate_uid(),
        "SliceThickness": str(spacing[0]),
        "PixelSpacing": [str(spacing[1]), str(spacing[2])],
    }
    paths = []
    for index in range(slices):
        position = 2 * index / max(slices - 1, 1) - 1
        hu = phantom_slice(
            rows, columns, position=position, noise_hu=noise_hu, seed=seed * 100_003 + index
        )
        z = f"{index * spacing[0]:.6g}"
        own = {
            "InstanceNumber": index + 1,
            "SliceLocation": z,
            "ImagePositionPatient": ["-30.0", "-30.0", z],
        }
        ds = write_ct_dataset(hu, padding_value=padding_value, **{**series, **own, **attributes})
        compress(ds, transfer_syntax)
        path = folder / f"ct-{index + 1:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def break_ctdi(path: Path) -> None:
    """Give a file, whose CTDIvol is a number, one of twelve bytes: nobody can read it."""
    whole = path.read_bytes()
    at = whole.index(struct.pack("<HH2sH", 0x0018, 0x9345, b"FD", 8))
    path.write_bytes(whole[: at + 6] + struct.pack("<H", 12) + b"DOE^JANE 012" + whole[at + 16 :])
