"""The SUV parametric map: values in float, at the model's own resolution, at the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_profiles.reading import open_series
from dicom_profiles.suv_map import SuvBlocks
from tests.dicom_profiles.validators import dciodvfy_errors
from tests.dicom_profiles.whole_body import PET_DERIVATION, WrittenPet, write_pet, write_pet_of
from tests.synthetic import write_ct_series


@pytest.fixture(scope="module")
def pet(tmp_path_factory: pytest.TempPathFactory) -> WrittenPet:
    """A PET with its map; read only."""
    return write_pet(tmp_path_factory.mktemp("pet"))


def test_blocks_are_about_as_large_as_the_models_cubes(pet: WrittenPet) -> None:
    blocks = SuvBlocks(pet.source)
    assert (blocks.rows, blocks.columns) == (4, 4)  # 0.9375 mm


def test_values_are_means_of_blocks_at_their_places(pet: WrittenPet) -> None:
    ds = pydicom.dcmread(pet.series["SUVMAP"].paths[0])
    assert ds.pixel_array.shape == (6, 16, 16)
    wanted = pet.suv.reshape(6, 16, 4, 16, 4).mean(axis=(2, 4))
    to_index = np.linalg.inv(pet.source.affine)
    frames = zip(ds.pixel_array, ds.PerFrameFunctionalGroupsSequence, strict=True)
    for values, groups in frames:  # in whichever order the slices are stored
        place = [float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient]
        index = to_index @ [*place, 1.0]
        assert np.allclose(index[1:3], 1.5, atol=1e-3)  # the middle of the first four pixels
        assert np.allclose(values, wanted[round(index[0])], atol=1e-5)


def test_says_what_the_values_are(pet: WrittenPet) -> None:
    ds = pydicom.dcmread(pet.series["SUVMAP"].paths[0])
    assert pet.series["SUVMAP"].sop_class_uid == ds.SOPClassUID
    shared = ds.SharedFunctionalGroupsSequence[0]
    assert [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing] == [3.75, 3.75]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "g/ml{SUVbw}"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    window = shared.FrameVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth) == (3.5, 7.0)
    assert window.WindowCenterWidthExplanation == "SUVbw 0-7"
    assert window.VOILUTFunction == "LINEAR_EXACT"


def test_frames_follow_the_normal(pet: WrittenPet) -> None:
    """Readers that count frames, not positions, would put the feet at the head."""
    ds = pydicom.dcmread(pet.series["SUVMAP"].paths[0])
    frames = ds.PerFrameFunctionalGroupsSequence
    places = [frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames]
    along = np.array(places, float) @ pet.source.affine[:3, 0]
    assert (np.diff(along) > 0).all()
    assert [f.FrameContentSequence[0].DimensionIndexValues for f in frames] == [1, 2, 3, 4, 5, 6]
    sources = [f.DerivationImageSequence[0].SourceImageSequence[0] for f in frames]
    told = tuple(item.ReferencedSOPInstanceUID for item in sources)
    assert told == pet.source.sop_instance_uids


def test_says_what_the_frames_show(pet: WrittenPet) -> None:
    """Frame Anatomy is mandatory (PS3.3 A.75.5): without it dcmqi ends with a fault."""
    ds = pydicom.dcmread(pet.series["SUVMAP"].paths[0])
    (anatomy,) = ds.SharedFunctionalGroupsSequence[0].FrameAnatomySequence
    assert anatomy.FrameLaterality == "U"
    (region,) = anatomy.AnatomicRegionSequence
    assert (region.CodeValue, region.CodeMeaning) == ("38266002", "Entire body")


def test_slices_pass_untouched(pet: WrittenPet) -> None:
    passed = list(SuvBlocks(pet.source).passing(pet.suv))
    assert np.array_equal(np.stack(passed), pet.suv)
    odd = list(SuvBlocks(pet.source).passing([np.ones((66, 67), np.float32)]))
    assert odd[0].shape == (66, 67)


@pytest.mark.parametrize(
    ("spacing", "blocks"),
    [
        ((4.0, 3.0, 2.9), (1, 1)),  # coarse pixels stay as they are
        ((4.0, 1.0, 2.0), (4, 2)),
    ],
)
def test_the_map_lies_where_its_ct_does(
    tmp_path: Path, spacing: tuple[float, float, float], blocks: tuple[int, int]
) -> None:
    paths = write_ct_series(tmp_path / "source", slices=5, rows=64, columns=48, spacing=spacing)
    made = write_pet_of(open_series(paths), paths, tmp_path / "derived", PET_DERIVATION)
    ds = pydicom.dcmread(made.series["SUVMAP"].paths[0])
    rows, columns = blocks
    wanted = made.suv.reshape(5, 64 // rows, rows, 48 // columns, columns).mean(axis=(2, 4))
    to_index = np.linalg.inv(made.source.affine)
    for values, groups in zip(ds.pixel_array, ds.PerFrameFunctionalGroupsSequence, strict=True):
        place = [float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient]
        index = to_index @ [*place, 1.0]
        assert np.allclose(index[1:3], [(rows - 1) / 2, (columns - 1) / 2], atol=1e-4)
        assert np.allclose(values, wanted[round(index[0])], atol=1e-5)
    measures = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == spacing[0]
    assert [float(v) for v in measures.PixelSpacing] == [rows * spacing[1], columns * spacing[2]]
    assert dciodvfy_errors(made.series["SUVMAP"].paths[0]) == []
