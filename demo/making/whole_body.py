"""A simulated whole-body CT from skull base to thighs, as the trainers' simulator draws it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from scipy.ndimage import gaussian_filter, zoom

from demo.making.marked import Sample, save, slice_of, uid
from dicom_profiles.volume import Volume
from trainers.simulation.whole_body import draw_body, simulate

SAMPLE = Sample(
    "whole_body",
    "SIMULATED WHOLE BODY",
    4,
    "Whole-body CT (sample)",
    "Simulated by trainers.whole_body; not acquired. For demonstration only.",
)
SEED = 11
COVERAGE = "skull base to thigh"
INTERCEPT = -1024
PIXEL_MM = 2.9


def make(_shared: Path) -> None:
    """Write the sample."""
    body = draw_body(np.random.default_rng(SEED), COVERAGE)
    save(SAMPLE, _images(simulate(body).pair.ct))


def _images(ct: Volume) -> Iterator[Dataset]:
    ct = _coarser(ct)
    between, rows, columns = ct.spacing_mm
    for index, image in enumerate(ct.voxels):
        x, y, z = (float(value) for value in (ct.affine @ (index, 0, 0, 1))[:3])
        ds = slice_of(SAMPLE, np.clip(np.rint(image - INTERCEPT), 0, 4095).astype("<u2"), (x, y, z))
        ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.SeriesInstanceUID, ds.SeriesNumber = uid("whole body series"), 2
        ds.SeriesDescription = "CT WHOLE BODY 4.0 (simulated)"
        ds.BodyPartExamined, ds.ProtocolName = "WHOLEBODY", "PET/CT whole body"
        ds.AcquisitionTime, ds.AcquisitionNumber = "101502", 1
        ds.InstanceNumber = index + 1
        ds.KVP, ds.ConvolutionKernel, ds.Exposure = "120", "B30f", "110"
        ds.PixelSpacing = [f"{rows:.6g}", f"{columns:.6g}"]
        ds.SliceThickness = ds.SpacingBetweenSlices = f"{between:.6g}"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(INTERCEPT), "1", "HU"
        yield ds


def _coarser(ct: Volume) -> Volume:
    """Pixels of `PIXEL_MM`, averaged, which keeps the sample small."""
    factor = ct.spacing_mm[1] / PIXEL_MM
    smooth = gaussian_filter(ct.voxels, (0, 0.4 / factor, 0.4 / factor))
    pixels = zoom(smooth, (1, factor, factor), order=1, mode="nearest", grid_mode=True)
    steps = np.array(ct.voxels.shape[1:]) / pixels.shape[1:]
    affine = ct.affine @ np.diag([1.0, *steps, 1.0])
    affine[:3, 3] += (affine[:3, 1] + affine[:3, 2] - ct.affine[:3, 1] - ct.affine[:3, 2]) / 2
    return Volume(pixels.astype(np.float32), affine, ct.unit, ct.frame_of_reference)
