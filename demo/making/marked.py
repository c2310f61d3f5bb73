"""What every sample says of itself, and its files."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, JPEGLSLossless

SAMPLES = Path(__file__).parents[1] / "samples"
DATE, TIME = "20250310", "101500"


@dataclass(frozen=True)
class Sample:
    """One sample study.

    Attributes:
        folder: of `samples/`.
        patient: second half of the patient's name, in capitals: what the sample is.
        number: of the sample, in Patient ID and Accession Number.
        study: Study Description.
        comments: Image Comments: where it comes from.
    """

    folder: str
    patient: str
    number: int
    study: str
    comments: str


def uid(what: str) -> UID:
    """The same UID for the same thing at every run (PS3.5 B.2, UUID-derived)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, 'virtual scanner sample ' + what).int}")


def mark(ds: Dataset, sample: Sample) -> None:
    """Set patient, study and the words that say what it is."""
    ds.PatientName = f"SAMPLE^{sample.patient}"
    ds.PatientID = f"VSCANNER-SAMPLE-{sample.number}"
    ds.PatientBirthDate = ds.ReferringPhysicianName = ""
    ds.AccessionNumber, ds.StudyID = f"SAMPLE{sample.number}", "1"
    ds.StudyDescription = sample.study
    ds.ImageComments = sample.comments
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.StudyInstanceUID = uid(f"{sample.folder} study")


def slice_of(
    sample: Sample, stored: npt.NDArray[np.integer], position: tuple[float, float, float]
) -> Dataset:
    """A data set of one slice with file meta; modality and place in words are left to the caller.

    Args:
        sample: to which it belongs.
        stored: (rows, columns), up to 16 bits, unsigned.
        position: Image Position (Patient) in mm, LPS; the slice is axial.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    mark(ds, sample)
    ds.PatientSex = "O"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = TIME
    ds.Manufacturer, ds.ManufacturerModelName = "DEMONSTRATION", "Simulation"
    ds.FrameOfReferenceUID = uid(f"{sample.folder} frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = [f"{value:.6g}" for value in position]
    ds.PatientPosition = "HFS"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.add_new("PixelData", "OW", stored.astype("<u2").tobytes())
    return ds


def save(sample: Sample, images: Iterable[Dataset]) -> None:
    """Write the files of a sample anew, compressed without loss."""
    folder = SAMPLES / sample.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, ds in enumerate(images, start=1):
        ds.SOPInstanceUID = uid(f"{sample.folder} instance {number}")
        ds.compress(JPEGLSLossless, generate_instance_uid=False)
        ds.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
