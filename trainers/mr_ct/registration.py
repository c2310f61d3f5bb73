"""Lay the CT of a pair onto its MR by the bone, so that a network can learn where bone is.

    python -m trainers.mr_ct.registration --from sts:FOLDER --out prepared/sts
    python -m trainers.mr_to_ct --configuration t1 --train prepared:prepared/sts …

The images of a "registered" collection lie up to two centimetres apart where the patient lay
otherwise on the second table. Cortical bone is a third of that thick: a network that learns from
such pairs learns to leave it out. Mattes' mutual information, rigid, in the surroundings of bone.
Only for training: what a model is measured on stays as its collection gives it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - the name that its manual uses
from scipy.ndimage import binary_dilation, binary_fill_holes
from tqdm import tqdm

from trainers.mr_ct.couch import AIR_HU, without_couch
from trainers.mr_ct.patches import BODY_ABOVE_HU, BONE_ABOVE_HU
from trainers.mr_ct.sources import read_source
from trainers.readers.mr_ct import MrCtSeries, save_prepared
from trainers.training.errors import SourceError
from trainers.training.script import exit_code

SEEN_HU = (-300.0, 800.0)
AROUND_MM = 18.0
"""What lies this near to bone is compared."""

LARGEST_MM = 25.0
"""A correction above this is a failure of the search; the pair stays as it is."""

BINS = 40
SHARE = 0.3
STEPS = 80


@dataclass(frozen=True)
class Alignment:
    """What was found for one pair.

    Attributes:
        moved_mm: of the middle of the bone; 0 where nothing was gained.
        before: mutual information as the collection gives the pair, nats.
        after: of the pair as it is kept.
        differs_hu: mean absolute difference between the CT as it is kept and as the collection
            gives it, in the body of the latter: the error that a model without any would have.
    """

    moved_mm: float
    before: float
    after: float
    differs_hu: float = 0.0


def aligned(series: MrCtSeries, seed: int = 1) -> tuple[MrCtSeries, Alignment]:
    """The pair with its CT moved, rigidly, to where the first MR shows the bone.

    A pair without bone, or one that the search does not improve, comes back as it was.

    Args:
        series: of one patient, CT on the grid of the MR.
        seed: of the pixels that are compared.
    """
    if series.ct is None:
        raise SourceError(f"{series.patient} should have an MR and a CT; it has no CT to align.")
    size = (series.slice_mm, series.pixel_mm, series.pixel_mm)
    near = _near_bone(series.ct, size)
    if not near.any():
        return series, Alignment(0.0, 0.0, 0.0)
    fixed = _image(next(iter(series.mr.values())), size)
    ct = _image(series.ct, size)
    search, start = _search(_image(near.astype(np.uint8), size), seed), _start(near, fixed)
    moving = sitk.Clamp(ct, sitk.sitkFloat32, *SEEN_HU)
    search.SetInitialTransform(start, inPlace=True)
    before = -search.MetricEvaluate(fixed, moving)
    search.Execute(fixed, moving)
    after, moved = -search.GetMetricValue(), float(np.linalg.norm(start.GetTranslation()))
    if after <= before or moved > LARGEST_MM:
        return series, Alignment(0.0, before, before)
    there = sitk.Resample(ct, fixed, start, sitk.sitkLinear, AIR_HU)
    voxels = np.asarray(sitk.GetArrayFromImage(there), np.float32)
    differs = np.abs(voxels - series.ct)[without_couch(series.ct) > BODY_ABOVE_HU].mean()
    return replace(series, ct=voxels), Alignment(moved, before, after, float(differs))


def _near_bone(
    ct: npt.NDArray[np.float32], size_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """(slices, rows, columns): bone, its marrow and what is around it."""
    bone = np.stack([binary_fill_holes(image > BONE_ABOVE_HU) for image in ct])
    reach = [max(1, round(AROUND_MM / size)) for size in size_mm]
    for axis, count in enumerate(reach):
        structure = np.ones([2 * count + 1 if i == axis else 1 for i in range(3)], bool)
        bone = binary_dilation(bone, structure)
    return np.asarray(bone, np.bool_)


def _image(
    voxels: npt.NDArray[np.float32] | npt.NDArray[np.uint8], size_mm: tuple[float, float, float]
) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(size_mm[::-1])
    return image


def _start(near: npt.NDArray[np.bool_], fixed: sitk.Image) -> sitk.Euler3DTransform:
    """No motion yet; turns go about the middle of the bone."""
    middle = [float(places.mean()) for places in np.nonzero(near)]
    start = sitk.Euler3DTransform()
    start.SetCenter(fixed.TransformContinuousIndexToPhysicalPoint(middle[::-1]))
    return start


def _search(mask: sitk.Image, seed: int) -> sitk.ImageRegistrationMethod:
    search = sitk.ImageRegistrationMethod()
    search.SetMetricAsMattesMutualInformation(BINS)
    search.SetMetricSamplingStrategy(search.RANDOM)
    search.SetMetricSamplingPercentage(SHARE, seed)
    search.SetMetricFixedMask(mask)
    search.SetInterpolator(sitk.sitkLinear)
    search.SetOptimizerAsRegularStepGradientDescent(2.0, 0.02, STEPS)
    search.SetOptimizerScalesFromPhysicalShift()
    search.SetShrinkFactorsPerLevel([2, 1])
    search.SetSmoothingSigmasPerLevel([2, 1])
    return search


def main(arguments: Sequence[str] | None = None) -> int:
    """Align every pair of the sources and keep them for `prepared:FOLDER`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="sources", nargs="+", required=True, metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared pairs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = (series for source in options.sources for series in read_source(source, options.seed))
    pairs = 0
    for series in tqdm(found, unit="pair"):
        kept, result = aligned(series, options.seed)
        save_prepared(kept, options.out)
        pairs += 1
        information = f"mutual information {result.before:.3f} to {result.after:.3f}"
        moved = f"moved {result.moved_mm:.1f} mm, {result.differs_hu:.0f} HU from the CT as it was"
        tqdm.write(f"{series.patient}: {moved}, {information}")
    if not pairs:
        raise SourceError(f"No pair of MR and CT was found in {', '.join(options.sources)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
