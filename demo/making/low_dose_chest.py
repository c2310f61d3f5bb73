"""A real chest CT with simulated low dose.

Sixteen slices of LIDC-IDRI-0314 (CC BY 3.0, see NOTICE), to which the noise of a quarter of the
dose was added by `trainers.simulation.low_dose`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from demo.making.marked import Sample, mark, save, uid
from dicom_profiles.reading import read_series
from dicom_profiles.volume import Volume
from trainers.simulation.low_dose import inserted_noise
from trainers.simulation.noise_calibration import calibrate

DOSE = 0.25
FIRST, COUNT = 50, 16
SAMPLE = Sample(
    "low_dose_chest",
    "SIMULATED LOW DOSE",
    1,
    "Chest CT (sample)",
    "Excerpt of LIDC-IDRI-0314 (TCIA, CC BY 3.0); noise of a quarter of the dose was added by "
    "simulation. For demonstration only.",
)
KEPT_FROM_SOURCE = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "StudyTime",
    "AcquisitionTime",
    "ContentTime",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "PatientSex",
    "PatientIdentityRemoved",
    "BodyPartExamined",
    "ScanOptions",
    "SliceThickness",
    "KVP",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "RotationDirection",
    "XRayTubeCurrent",
    "FilterType",
    "ConvolutionKernel",
    "PatientPosition",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PositionReferenceIndicator",
    "SliceLocation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
)


def make(shared: Path) -> None:
    """Write the sample."""
    source = shared / "ct_chest_philips_lidc0314"
    volume = read_series(source)
    order = np.argsort([position(path) for path in files(source)])
    paths = [files(source)[index] for index in order]
    if volume.affine[2, 0] < 0:
        paths.reverse()
    save(SAMPLE, _images(volume, paths))


def _images(volume: Volume, paths: list[Path]) -> Iterator[Dataset]:
    scanner = calibrate(volume.voxels[::10], volume.spacing_mm[2])
    random = np.random.default_rng(2026)
    for number in range(COUNT):
        index = FIRST + number
        acquired = volume.voxels[index]
        low = acquired + inserted_noise(scanner, acquired, DOSE, random)
        sample = anonymous_copy(pydicom.dcmread(paths[index]))
        stored = np.rint((low - float(sample.RescaleIntercept)) / float(sample.RescaleSlope))
        highest = 2**sample.BitsStored - 1
        sample.PixelData = np.clip(stored, 0, highest).astype("<u2").tobytes()
        yield sample


def files(folder: Path) -> list[Path]:
    """The DICOM files of the folder."""
    return sorted(folder.glob("*.dcm"))


def position(path: Path) -> float:
    """Place along the body axis, mm."""
    return float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2])


def anonymous_copy(source: Dataset) -> Dataset:
    """The attributes that an acquired CT needs, own identifiers, and what it is in words."""
    sample = Dataset()
    for keyword in KEPT_FROM_SOURCE:
        if keyword in source:
            sample[keyword] = source[keyword]
    sample.file_meta = pydicom.dataset.FileMetaDataset()
    sample.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    mark(sample, SAMPLE)
    sample.SeriesNumber = 2
    sample.SeriesDescription = "LOW DOSE CHEST 1.0 (simulated 25 % dose)"
    sample.DeidentificationMethod = "LIDC-IDRI (TCIA), then new identifiers"
    sample.Exposure = round(float(source.Exposure) * DOSE)
    sample.XRayTubeCurrent = round(float(source.XRayTubeCurrent) * DOSE)
    sample.RescaleType = "HU"
    sample.SeriesInstanceUID = uid("low dose series")
    sample.FrameOfReferenceUID = uid("low dose frame of reference")
    return sample
