"""The same uptake as a Parametric Map in floating point, for measuring (PS3.3 A.75, C.8.32).

The model knows nothing finer than its cubes of 4 mm. So pixels of the CT are averaged in blocks of
about that size: every slice stays, the file is small, and no resolution is pretended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import ParametricMapStorage

from dicom_profiles import codes
from dicom_profiles.companions import CREATOR, OURS, CompanionKind, lent_slices, write_companions
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.district_segmentation import settle
from dicom_profiles.pet_from_ct import LARGEST_SUV, SUVBW, SYNTHETIC_PET
from dicom_profiles.provenance import Derivation
from dicom_profiles.sources.series import SourceSeries

SUV_MAP = CompanionKind("SUVMAP", 5, "SUVbw map from CT")
ENTIRE_BODY = Code("38266002", "SCT", "Entire body")
PATIENT = hd.CoordinateSystemNames.PATIENT
RESOLUTION_MM = 4.0
"""Edge of the model's cubes."""


class SuvBlocks:
    """Gathers the slices of a PET, averaged in blocks, while they pass on to another writer.

    Args:
        source: the CT.
    """

    def __init__(self, source: SourceSeries) -> None:
        spacing = np.linalg.norm(source.affine[:3, 1:3], axis=0)  # rows, columns
        smallest = np.array(source.shape[1:])
        blocks = np.clip(np.round(RESOLUTION_MM / spacing), 1, smallest).astype(int)
        self.rows, self.columns = int(blocks[0]), int(blocks[1])
        self.frames: list[npt.NDArray[np.float32]] = []

    def passing(
        self, slices: Iterable[npt.NDArray[np.float32]]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """The same slices, each kept in blocks; what fills no block at the edge is left out."""
        for image in slices:
            rows, columns = (n // b for n, b in zip(image.shape, (self.rows, self.columns),
                                                    strict=True))  # fmt: skip
            whole = image[: rows * self.rows, : columns * self.columns]
            blocks = whole.reshape(rows, self.rows, columns, self.columns)
            self.frames.append(blocks.mean(axis=(1, 3), dtype=np.float32))
            yield image


def write_suv_map(
    source: SourceSeries,
    images: DerivedSeries,
    blocks: SuvBlocks,
    derivation: Derivation,
    folder: Path,
) -> DerivedSeries:
    """Write the map, one file.

    Args:
        source: the CT.
        images: the PET series with the same values.
        blocks: what was gathered while that was written.
        derivation: as for the images.
        folder: made when absent; the file is SUVMAP-0001.dcm.
    """
    ds = hd.pm.ParametricMap(
        source_images=lent_slices(source),
        pixel_array=np.stack(blocks.frames),
        series_instance_uid=SUV_MAP.series_uid(images.series_instance_uid),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping()],
        voi_lut_transformations=[_window()],
        content_label="SYNTH_SUVBW",
        content_description="Synthetic SUVbw map predicted from CT",
        content_creator_name=CREATOR,
        **_place(source, blocks),
        **OURS,
    )
    ds.DerivationCodeSequence = codes.code_sequence([SYNTHETIC_PET.code])
    ds.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = Sequence([_anatomy()])
    _turn_over(ds)
    settle(ds, source, derivation)
    return replace(
        write_companions([ds], SUV_MAP, source.headers[0], derivation, folder),
        sop_class_uid=ParametricMapStorage,
    )


def _anatomy() -> Dataset:
    """What the frames show (PS3.3 A.75.5, C.7.6.16.2.8)."""
    item = Dataset()
    item.FrameLaterality = "U"
    item.AnatomicRegionSequence = codes.code_sequence([ENTIRE_BODY])
    return item


def _turn_over(ds: Dataset) -> None:
    """Put the frames in the order of the slices, along the normal.

    highdicom stores them against it. Every frame says where it lies, but readers that count
    frames instead (dcmqi, so 3D Slicer) would show the feet at the head.
    """
    frames = ds.PerFrameFunctionalGroupsSequence
    values = np.frombuffer(ds.FloatPixelData, np.float32).reshape(len(frames), -1)
    ds.FloatPixelData = values[::-1].tobytes()
    ds.PerFrameFunctionalGroupsSequence = Sequence(reversed(frames))
    for number, frame in enumerate(ds.PerFrameFunctionalGroupsSequence, start=1):
        frame.FrameContentSequence[0].DimensionIndexValues = [number]


def _mapping() -> hd.pm.RealWorldValueMapping:
    """Values are SUV by body weight as they stand."""
    return hd.pm.RealWorldValueMapping(
        lut_label="SUVbw",
        lut_explanation="Body-weight SUV, predicted",
        unit=codes.GRAMS_PER_ML,
        value_range=(-LARGEST_SUV, LARGEST_SUV),
        slope=1.0,
        intercept=0.0,
        quantity_definition=SUVBW,
    )


def _window() -> hd.VOILUTTransformation:
    return hd.VOILUTTransformation(
        # sequences of one: highdicom takes a bare explanation apart, letter by letter
        window_center=(3.5,), window_width=(7.0,), window_explanation=("SUVbw 0-7",),
        voi_lut_function=hd.VOILUTFunctionValues.LINEAR_EXACT,
    )  # fmt: skip


def _place(source: SourceSeries, blocks: SuvBlocks) -> dict[str, Any]:
    """Where the blocks lie, for highdicom; nothing where they are the source's pixels.

    highdicom then takes it from the source; told so, it would compare every slice with every
    other, which takes minutes for a thousand.
    """
    if (blocks.rows, blocks.columns) == (1, 1):
        return {}
    return {
        "pixel_measures": _measures(source, blocks),
        "plane_orientation": hd.PlaneOrientationSequence(
            PATIENT, [float(value) for value in source.headers[0].ImageOrientationPatient]
        ),
        "plane_positions": _positions(source, blocks),
    }


def _measures(source: SourceSeries, blocks: SuvBlocks) -> hd.PixelMeasuresSequence:
    """Pixel measures of the blocks (PS3.3 C.7.6.16.2.1)."""
    distance, row, column = (float(n) for n in np.linalg.norm(source.affine[:3, :3], axis=0))
    return hd.PixelMeasuresSequence(
        pixel_spacing=[round(row * blocks.rows, 6), round(column * blocks.columns, 6)],
        slice_thickness=float(source.headers[0].get("SliceThickness") or distance),
        spacing_between_slices=round(distance, 6),
    )


def _positions(source: SourceSeries, blocks: SuvBlocks) -> list[hd.PlanePositionSequence]:
    """Where the centre of each slice's first block lies (PS3.3 C.7.6.16.2.3)."""
    step, row, column = (source.affine[:3, axis] for axis in range(3))
    first = source.affine[:3, 3] + (blocks.rows - 1) / 2 * row + (blocks.columns - 1) / 2 * column
    places = [first + index * step for index in range(len(source))]
    return [
        hd.PlanePositionSequence(PATIENT, [round(float(value), 4) for value in place])
        for place in places
    ]
