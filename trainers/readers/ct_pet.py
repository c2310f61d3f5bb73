"""What a reader of CT and PET gives, and how a pair comes onto cubes, as serving has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dicom_profiles.volume import Volume
from pipelines.ct_to_pet.body import Mask, body_mask
from pipelines.ct_to_pet.districts import Districts
from pipelines.ct_to_pet.geometric_districts import GeometricSegmenter
from pipelines.ct_to_pet.grid import CUBE_MM, Cubes, WorkingGrid
from pipelines.ct_to_pet.network import channels, quantities

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI's axes point right to left and back to front the other way round."""


Kept = npt.NDArray[np.float16] | npt.NDArray[np.float32]
"""Values of cubes: float32 as they were computed, float16 as they are kept on the disk."""


@dataclass(frozen=True, eq=False)
class CtPetPair:
    """CT and PET of one patient in one frame, each on its own grid.

    Attributes:
        patient: a name for splits and reports; never a real one.
        ct: in HU.
        suv: in SUVbw.
        lesions: 1 inside a lesion, on any grid; None where they were not outlined.
    """

    patient: str
    ct: Volume
    suv: Volume
    lesions: Volume | None = None


@dataclass(frozen=True, eq=False)
class CubePair:
    """A pair on the working grid, as the trainer wants it.

    Attributes:
        patient: as in the pair.
        seen: (3, z, y, x), what the network is shown.
        suv: (z, y, x), SUVbw.
        body: (z, y, x), the body.
        lesions: (z, y, x), empty where none were outlined.
        districts: (z, y, x) uint8, see `pipelines.ct_to_pet.districts`.
    """

    patient: str
    seen: Kept
    suv: Kept
    body: Mask
    lesions: Mask
    districts: Districts


def on_cubes(pair: CtPetPair) -> CubePair:
    """Bring a pair onto the cubes over its CT, as serving does."""
    grid = WorkingGrid.of(_shape(pair.ct), pair.ct.affine)
    averages = grid.averaged(quantities(image) for image in pair.ct.voxels)
    body = body_mask(averages[0])
    districts = GeometricSegmenter().districts(averages[0], body)
    suv = resampled(pair.suv, _averaged_first(pair.suv), grid, pair.ct.affine)
    lesions = np.zeros(suv.shape, np.bool_)
    if pair.lesions is not None:
        marked = pair.lesions.voxels.astype(np.float32)
        lesions = resampled(pair.lesions, marked, grid, pair.ct.affine) >= 0.5
    return CubePair(pair.patient, channels(averages), suv, body, lesions, districts)


def districts_of(ct: Volume) -> Districts:
    """The districts of a CT by their geometry, on its own grid: (slices, rows, columns)."""
    grid = WorkingGrid.of(_shape(ct), ct.affine)
    hu = grid.averaged(ct.voxels)
    labels = grid.to_source(GeometricSegmenter().districts(hu, body_mask(hu)).astype(np.float32))
    places = [matrix.argmax(axis=1) for matrix in grid.interpolating]
    return labels[np.ix_(*places)].astype(np.uint8)


def resampled(
    volume: Volume, values: Cubes, grid: WorkingGrid, affine: npt.NDArray[np.float64]
) -> Cubes:
    """Values on a volume's grid, linearly interpolated at the centres of the cubes.

    Args:
        volume: whose affine holds.
        values: (slices, rows, columns), on that grid.
        grid: the cubes over another volume.
        affine: of that other volume.
    """
    centres = cube_affine(grid, affine)
    to_values = np.linalg.inv(volume.affine) @ centres
    shape = tuple(len(matrix) for matrix in grid.averaging)
    made = ndimage.affine_transform(
        values, to_values[:3, :3], to_values[:3, 3], shape, order=1, mode="nearest"
    )
    return grid.to_patient(made.astype(np.float32))


def resampled_labels(labels: npt.NDArray[np.uint8], volume: Volume) -> Districts:
    """Labels on a volume's grid, at the centres of the cubes over it: the nearest one."""
    grid = WorkingGrid.of(_shape(volume), volume.affine)
    to_voxels = np.linalg.inv(volume.affine) @ cube_affine(grid, volume.affine)
    shape = tuple(len(matrix) for matrix in grid.averaging)
    made: Districts = ndimage.affine_transform(
        labels, to_voxels[:3, :3], to_voxels[:3, 3], shape, order=0, mode="nearest"
    )
    return grid.to_patient(made.astype(np.float32)).astype(np.uint8)


def cube_affine(grid: WorkingGrid, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(4, 4): from the index of a cube, in the source's order of axes, to LPS millimetres."""
    voxels_a_cube = CUBE_MM / np.array(grid.spacing_mm)
    to_source = np.diag([*voxels_a_cube, 1.0])
    to_source[:3, 3] = (
        voxels_a_cube / 2 - 0.5
    )  # the centre of a cube lies half a cube from its edge
    return np.asarray(affine @ to_source, np.float64)


def read_volume(path: Path, unit: str) -> Volume:
    """A NIfTI file as a volume: (slices, rows, columns), LPS."""
    image: Any = nibabel.load(path)
    voxels = np.asarray(image.dataobj, np.float32).transpose(2, 1, 0)
    affine = (RAS_TO_LPS @ image.affine)[:, [2, 1, 0, 3]]
    return Volume(np.ascontiguousarray(voxels), affine, unit)


def _averaged_first(volume: Volume) -> Cubes:
    """Where voxels are much smaller than cubes, averaged before they are sampled."""
    sizes = [max(1, round(CUBE_MM / spacing)) for spacing in volume.spacing_mm]
    smooth: Cubes = ndimage.uniform_filter(volume.voxels, sizes, mode="nearest")
    return smooth


def _shape(volume: Volume) -> tuple[int, int, int]:
    slices, rows, columns = volume.voxels.shape
    return slices, rows, columns
