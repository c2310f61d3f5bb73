"""Phantom dual-echo MR: in-phase and opposed-phase images, in one series or in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage, generate_uid

from tests.synthetic import BONE_HU, LUNG_HU, phantom_slice, write_ct_dataset

ECHOES = {"OOP": ("OUT_PHASE", "2.3"), "IP": ("IN_PHASE", "4.6")}
"""Input key to Image Type term and Echo Time in ms at 1.5 T."""
OF_CT_ALONE = (
    *("KVP", "DataCollectionDiameter", "ReconstructionDiameter", "GantryDetectorTilt"),
    *("ExposureTime", "XRayTubeCurrent", "Exposure", "FilterType", "ConvolutionKernel"),
    *("SpiralPitchFactor", "ExposureModulationType", "CTDIvol", "CTDIPhantomTypeCodeSequence"),
    *("RescaleIntercept", "RescaleSlope", "RescaleType"),
)
SPACING = (3.0, 1.5, 1.5)


def write_dual_echo(
    folder: Path,
    keys: tuple[str, ...] = ("IP", "OOP"),
    *,
    slices: int = 12,
    size: int = 128,
    one_series: bool = False,
    uids: dict[str, str] | None = None,
    of_key: dict[str, dict[str, Any]] | None = None,
    **attributes: Any,
) -> dict[str, list[Path]]:
    """Write the echoes named by `keys`.

    Args:
        folder: made when absent.
        keys: which echoes.
        slices: of each echo.
        size: rows and columns.
        one_series: both echoes carry one Series Instance UID.
        uids: study, frame of reference and series by key, to add to a study.
        of_key: DICOM keywords to set in the images of one echo.
        attributes: DICOM keywords to set in all images.

    Returns:
        The files by input key.
    """
    uids = {"study": generate_uid(), "frame": generate_uid(), **(uids or {})}
    shared = generate_uid()
    written: dict[str, list[Path]] = {}
    for key in keys:
        common = {
            "StudyInstanceUID": uids["study"],
            "SeriesInstanceUID": shared if one_series else uids.get(key) or generate_uid(),
            "FrameOfReferenceUID": uids["frame"],
            **attributes,
            **(of_key or {}).get(key, {}),
        }
        images = [_slice(key, index, slices, size) for index in range(slices)]
        written[key] = [_save(ds, folder, f"{key}-{n:03d}", common) for n, ds in enumerate(images)]
    return written


def _save(ds: Dataset, folder: Path, name: str, attributes: dict[str, Any]) -> Path:
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{attributes['SeriesInstanceUID'][-8:]}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


def _slice(key: str, index: int, slices: int, size: int) -> Dataset:
    """One slice: water bright, lungs and bone dark, the rim of fat darker in opposed phase."""
    hu = phantom_slice(size, size, position=2 * index / slices - 1, noise_hu=0, seed=index)
    signal = np.where(hu < LUNG_HU + 100, 15.0, np.where(hu > BONE_HU / 2, 120.0, 600.0))
    signal *= 0.85 if key == "OOP" else 1.0
    noise = np.random.default_rng(index).normal(0, 6, hu.shape)
    ds = write_ct_dataset(np.zeros_like(hu))
    for keyword in OF_CT_ALONE:
        del ds[keyword]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    term, echo_time = ECHOES[key]
    ds.Modality, ds.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", term, "NORM", "DIS2D"]
    ds.EchoTime, ds.EchoNumbers = echo_time, list(ECHOES).index(key) + 1
    ds.MagneticFieldStrength, ds.RepetitionTime, ds.FlipAngle = "1.5", "120", "70"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "SP", ""
    ds.MRAcquisitionType, ds.EchoTrainLength = "2D", 1
    ds.SeriesDescription, ds.ProtocolName = f"T1 dual echo {key}", "T1 dual echo"
    ds.StudyDescription, ds.BodyPartExamined = "MR abdomen", "ABDOMEN"
    ds.SliceThickness = ds.SpacingBetweenSlices = str(SPACING[0])
    ds.PixelSpacing = [str(SPACING[1]), str(SPACING[2])]
    ds.ImagePositionPatient = [str(-0.75 * size), str(-0.75 * size), str(index * SPACING[0])]
    ds.InstanceNumber = index + 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = np.clip(np.rint(np.abs(signal + noise)), 0, 4095).astype("<u2").tobytes()
    return ds
