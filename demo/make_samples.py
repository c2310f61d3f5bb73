"""Make `samples/low_dose_chest` from the LIDC-IDRI series of the development data.

    python -m demo.make_samples ../shared/data/ct_chest_philips_lidc0314

Sixteen slices of a real chest CT (LIDC-IDRI-0314, CC BY 3.0, see NOTICE), to which the noise of a
quarter of the dose was added by `trainers.low_dose`. The series says so in its description, in
Image Comments and in the patient's name. It is not marked Synthetic Data = YES: it stands for an
acquired low-dose CT, and the node rightly refuses synthetic input.
"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, JPEGLSLossless

from dicom_profiles.reading import read_series
from trainers.low_dose import inserted_noise
from trainers.noise_calibration import calibrate

DOSE = 0.25
FIRST, COUNT = 50, 16
FOLDER = Path(__file__).parent / "samples" / "low_dose_chest"
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


def main(source: Path) -> None:
    """Write the sample from the series in `source`."""
    volume = read_series(source)
    order = np.argsort([position(path) for path in files(source)])
    paths = [files(source)[index] for index in order]
    if volume.affine[2, 0] < 0:
        paths.reverse()
    scanner = calibrate(volume.voxels[::10], volume.spacing_mm[2])
    random = np.random.default_rng(2026)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        index = FIRST + number
        acquired = volume.voxels[index]
        low = acquired + inserted_noise(scanner, acquired, DOSE, random)
        sample = anonymous_copy(pydicom.dcmread(paths[index]), number)
        stored = np.rint((low - float(sample.RescaleIntercept)) / float(sample.RescaleSlope))
        highest = 2**sample.BitsStored - 1
        sample.PixelData = np.clip(stored, 0, highest).astype("<u2").tobytes()
        sample.compress(JPEGLSLossless, generate_instance_uid=False)
        sample.save_as(FOLDER / f"{number + 1:02d}.dcm", enforce_file_format=True)


def files(folder: Path) -> list[Path]:
    """The DICOM files of the folder."""
    return sorted(folder.glob("*.dcm"))


def position(path: Path) -> float:
    """Place along the body axis, mm."""
    return float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2])


def anonymous_copy(source: Dataset, number: int) -> Dataset:
    """The attributes that an acquired CT needs, own identifiers, and what it is in words."""
    sample = Dataset()
    for keyword in KEPT_FROM_SOURCE:
        if keyword in source:
            sample[keyword] = source[keyword]
    sample.file_meta = pydicom.dataset.FileMetaDataset()
    sample.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    sample.PatientName = "SAMPLE^SIMULATED LOW DOSE"
    sample.PatientID = "VSCANNER-SAMPLE-1"
    sample.PatientBirthDate = sample.ReferringPhysicianName = ""
    sample.AccessionNumber, sample.StudyID, sample.SeriesNumber = "SAMPLE1", "1", 2
    sample.StudyDescription = "Chest CT (sample)"
    sample.SeriesDescription = "LOW DOSE CHEST 1.0 (simulated 25 % dose)"
    sample.ImageComments = (
        "Excerpt of LIDC-IDRI-0314 (TCIA, CC BY 3.0); noise of a quarter of the dose was added by "
        "simulation. For demonstration only."
    )
    sample.DeidentificationMethod = "LIDC-IDRI (TCIA), then new identifiers"
    sample.BurnedInAnnotation, sample.LossyImageCompression = "NO", "00"
    sample.Exposure = round(float(source.Exposure) * DOSE)
    sample.XRayTubeCurrent = round(float(source.XRayTubeCurrent) * DOSE)
    sample.RescaleType = "HU"
    sample.StudyInstanceUID, sample.SeriesInstanceUID = uid("study"), uid("series")
    sample.FrameOfReferenceUID = uid("frame of reference")
    sample.SOPInstanceUID = uid(f"instance {number}")
    return sample


def uid(what: str) -> UID:
    """The same UID for the same thing at every run (PS3.5 B.2, UUID-derived)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'virtual scanner sample ' + what).int}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
