"""Districts told by programs that a site has installed: MOOSE, or TotalSegmentator.

Both bring weights of their own (gigabytes, under their own licences), so neither is part of this
product. They are given the CT on cubes of 4 mm, as NIfTI in a folder that is deleted afterwards.

Calls and labels are those that moosez 3.2.2 and TotalSegmentator 2.18.0 declare; their networks
were never run by us.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.districts import LABELS, Districts, DistrictSegmenter
from pipelines.ct_to_pet.geometric_districts import GeometricSegmenter
from pipelines.ct_to_pet.grid import CUBE_MM, Cubes
from pipelines.errors import InputError

CUBES_TO_RAS = np.diag([-CUBE_MM, -CUBE_MM, CUBE_MM, 1.0])
"""NIfTI's affine for cubes as (x, y, z), whose x and y are towards left and back."""


class MooseSegmenter:
    """MOOSE's body model (`moosez`), whose labels are ours."""

    name = "moosez clin_ct_body"

    def __init__(self) -> None:
        self._moose = _installed("moosez", "moosez").moose
        self.version = version("moosez")

    def districts(self, hu: Cubes, body: Mask) -> Districts:
        """Label every cube of the body; what MOOSE leaves out goes to the nearest district."""
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder) / "ct", Path(folder) / "labels"
            source.mkdir()
            made.mkdir()
            _write(hu, source / "CT_body.nii.gz")
            self._moose(
                input_data=str(source / "CT_body.nii.gz"),
                model_names="clin_ct_body",
                output_dir=str(made),
            )
            labels = _read(_only(made), hu.shape)
        return _everywhere(labels, body)


class TotalSegmentatorSegmenter:
    """TotalSegmentator's `body` task tells limbs from trunk; the geometry tells which limb."""

    name = "TotalSegmentator body"
    trunk_label = 1

    def __init__(self) -> None:
        api = _installed("totalsegmentator.python_api", "TotalSegmentator")
        self._segment = api.totalsegmentator
        self.version = version("TotalSegmentator")

    def districts(self, hu: Cubes, body: Mask) -> Districts:
        """Label every cube of the body."""
        geometric = GeometricSegmenter().districts(hu, body)
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder) / "ct.nii.gz", Path(folder) / "labels.nii.gz"
            _write(hu, source)
            self._segment(str(source), str(made), task="body", ml=True, quiet=True)
            parts = _read(made, hu.shape)
        trunk_slices = np.flatnonzero((parts == self.trunk_label).any(axis=(1, 2)))
        middle = np.median(trunk_slices) if trunk_slices.size else len(hu)
        low = (np.arange(len(hu)) < middle)[:, np.newaxis, np.newaxis]
        beside = np.where(low & (geometric != LABELS["arms"]), LABELS["legs"], LABELS["arms"])
        trunk = np.where(geometric == LABELS["head"], LABELS["head"], LABELS["trunk"])
        chosen = np.where(parts == self.trunk_label, trunk, np.where(parts > 0, beside, 0))
        return _everywhere(chosen.astype(np.uint8), body)


SEGMENTERS: Mapping[int, Callable[[], DistrictSegmenter]] = {
    1: MooseSegmenter,
    2: TotalSegmentatorSegmenter,
}
"""Value of the parameter `segmenter` to what it stands for; 0 is our own."""


def _installed(module: str, distribution: str) -> Any:
    try:
        version(distribution)
        return importlib.import_module(module)
    except (PackageNotFoundError, ImportError) as error:
        raise InputError(
            f"The districts should be told by {distribution}, which is not installed; install it "
            "or leave the parameter segmenter at 0."
        ) from error


def _write(hu: Cubes, path: Path) -> None:
    nibabel = _installed("nibabel", "nibabel")
    nibabel.save(nibabel.Nifti1Image(hu.transpose(2, 1, 0), CUBES_TO_RAS), path)


def _read(path: Path, shape: tuple[int, ...]) -> Districts:
    nibabel = _installed("nibabel", "nibabel")
    labels = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    if labels.shape != shape:
        raise InputError(f"The districts should have the shape {shape}, got {labels.shape}.")
    return labels.astype(np.uint8)


def _only(folder: Path) -> Path:
    found = sorted(folder.rglob("*.nii*"))
    if len(found) != 1:
        raise InputError(f"MOOSE should give one file of districts, got {len(found)}.")
    return found[0]


def _everywhere(labels: Districts, body: Mask) -> Districts:
    """A label for every cube of the body: the nearest one where there is none."""
    if not (labels > 0).any():
        return np.where(body, LABELS["trunk"], 0).astype(np.uint8)
    nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)[1]
    filled = labels[tuple(nearest)]
    return np.where(body, filled, 0).astype(np.uint8)
