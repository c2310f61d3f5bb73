r"""Wrap a low-energy image as a mammogram that a scanner might have sent, marked as not acquired.

    python -m trainers.simulation.mammogram_dicom OUT.dcm                         a simulated breast
    python -m trainers.simulation.mammogram_dicom OUT.dcm --excerpt P6_L_MLO.png  a pair of CDD-CESM

GE's way: LOW_ENERGY is value 4 of Image Type. It is not marked Synthetic Data, since it stands for
an acquired image and the node refuses synthetic input; Series Description, Image Comments and the
patient's name say what it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from dicom_profiles.codes import code_sequence
from dicom_profiles.mg_virtual_contrast import BREAST, VIEWS
from dicom_profiles.uids import derive_uid
from trainers.readers.cdd_cesm import read_excerpt
from trainers.simulation.drawn_breast import FIELD_CM, Iodine, draw_breast
from trainers.simulation.dual_energy import image_breast
from trainers.training.script import exit_code

DARKEST, BRIGHTEST = 1400, 3400
"""Stored values of tissue in a 12-bit image for presentation; air is 0."""


@dataclass(frozen=True)
class Exposure:
    """How the breast lay, and who it is of.

    Attributes:
        side: "L" or "R".
        view: "CC" or "MLO".
        pixel_mm: at the detector.
        what: where the image comes from, for Series Description and Image Comments.
        seed: of the UIDs; the same gives the same.
    """

    side: str
    view: str
    pixel_mm: float
    what: str
    seed: str


def simulated_mammogram(
    seed: int = 4, rows: int = 1024
) -> tuple[npt.NDArray[np.float32], Exposure]:
    """A simulated low-energy image, (rows, columns) 0 to 1, and how it was exposed."""
    breast = draw_breast(np.random.default_rng(seed))
    pair = image_breast(breast, Iodine.CORRELATED, rows, int(0.6 * rows))
    pixel_mm = 10 * FIELD_CM / rows
    exposure = Exposure(breast.side, breast.view, pixel_mm, "simulated", f"simulated {seed}")
    return pair.low_energy, exposure


def excerpt_mammogram(file: Path) -> tuple[npt.NDArray[np.float32], Exposure]:
    """The low-energy image of one pair of an excerpt of CDD-CESM, and how it was exposed."""
    pair = next(one for one in read_excerpt(file.parent) if one.name == file.stem)
    _, side, view = file.stem.split("_")
    pixel_mm = 10 * FIELD_CM / pair.low_energy.shape[0]
    return pair.low_energy, Exposure(side, view, pixel_mm, "CDD-CESM excerpt", file.stem)


def wrap(image: npt.NDArray[np.float32], exposure: Exposure) -> Dataset:
    """A data set with file meta, ready to be saved.

    Args:
        image: (rows, columns), 0 to 1, air 0.
        exposure: how it was made.
    """
    ds = Dataset()
    _patient_and_study(ds, exposure)
    _acquisition(ds, exposure)
    _display(ds, image)
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
                    "FrameOfReferenceUID"):  # fmt: skip
        setattr(ds, keyword, UID(derive_uid("wrapped mammogram", exposure.seed, keyword)))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    return ds


def _patient_and_study(ds: Dataset, exposure: Exposure) -> None:
    ds.PatientName, ds.PatientID = "Not acquired^Mammogram", "VSCAN-DEMO-MG"
    ds.PatientBirthDate, ds.PatientSex = "", "F"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20250310"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101500"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyID = "", "", "1"
    ds.StudyDescription = "CESM, not acquired: for demonstration"
    ds.SeriesNumber, ds.InstanceNumber = 5, 1
    ds.SeriesDescription = f"{exposure.side} {exposure.view} LE ({exposure.what})"
    ds.ImageComments = f"Not acquired by a scanner: {exposure.what}. For demonstration and tests."
    ds.Manufacturer, ds.ManufacturerModelName = "DEMONSTRATION", "Wrapped image"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"
    ds.PositionReferenceIndicator = ""


def _acquisition(ds: Dataset, exposure: Exposure) -> None:
    """PS3.3 C.8.11.1 to C.8.11.7, as GE fills it for a low-energy image."""
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "LOW_ENERGY"]
    ds.BodyPartExamined, ds.ImageLaterality, ds.ViewPosition = (
        "BREAST",
        exposure.side,
        exposure.view,
    )
    head = "R" if exposure.view == "CC" else "FR"
    ds.PatientOrientation = ["A" if exposure.side == "L" else "P", head]
    ds.OrganExposed, ds.PositionerType = "BREAST", "MAMMOGRAPHIC"
    ds.AnatomicRegionSequence = code_sequence([BREAST])
    ds.ViewCodeSequence = code_sequence([VIEWS[exposure.view]])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Items()
    ds.KVP, ds.BodyPartThickness, ds.CompressionForce = "29", "52", "90"
    ds.PositionerPrimaryAngle = "0" if exposure.view == "CC" else "45"
    ds.AcquisitionDeviceProcessingCode = "GEMS_FFDM_PV"
    ds.AcquisitionContextSequence = Items()
    ds.DetectorType = "SCINTILLATOR"
    ds.ImagerPixelSpacing = [f"{exposure.pixel_mm:.6g}"] * 2
    ds.FieldOfViewOrigin, ds.FieldOfViewRotation = ["0", "0"], "0"
    ds.FieldOfViewHorizontalFlip, ds.BreastImplantPresent = "NO", "NO"


def _display(ds: Dataset, image: npt.NDArray[np.float32]) -> None:
    """12 bits as for presentation: air 0, tissue well above it (PS3.3 C.8.11.3)."""
    tissue = DARKEST + image * (BRIGHTEST - DARKEST)
    stored = np.where(image > 0.02, np.rint(tissue), 0).astype("<u2")
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.WindowCenter, ds.WindowWidth = "2400", "2200"
    ds.PresentationLUTShape, ds.BurnedInAnnotation, ds.LossyImageCompression = (
        "IDENTITY",
        "NO",
        "00",
    )
    ds.add_new("PixelData", "OW", stored.tobytes())


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--excerpt", type=Path, metavar="PNG", help="instead of a simulation")
    parser.add_argument("--seed", type=int, default=4, help="of the simulation (default 4)")
    parser.add_argument("--rows", type=int, default=1024, help="of the simulation (default 1024)")
    given = parser.parse_args(argv)
    if given.excerpt:
        image, exposure = excerpt_mammogram(given.excerpt)
    else:
        image, exposure = simulated_mammogram(given.seed, given.rows)
    wrap(image, exposure).save_as(given.out, enforce_file_format=True)
    print(f"wrote {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
