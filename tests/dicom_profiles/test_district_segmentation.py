"""The districts as a Segmentation: masks come back, and say what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.color import CIELabColor

from dicom_profiles.checks.check import check_derived
from dicom_profiles.district_segmentation import write_districts
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.reading import open_series
from pipelines.ct_to_pet.districts import LABELS
from tests.dicom_profiles.validators import dciodvfy_errors
from tests.dicom_profiles.whole_body import PET_DERIVATION, WrittenPet, write_pet, write_pet_of
from tests.synthetic import write_ct_series


@pytest.fixture(scope="module")
def pet(tmp_path_factory: pytest.TempPathFactory) -> WrittenPet:
    """A PET with its districts; read only."""
    return write_pet(tmp_path_factory.mktemp("pet"))


def test_masks_come_back(pet: WrittenPet) -> None:
    seg = hd.seg.segread(pet.series["SEG"].paths[0])
    assert [d.SegmentLabel for d in seg.SegmentSequence] == ["Legs", "Trunk"]
    masks = seg.get_pixels_by_source_instance(list(pet.source.sop_instance_uids))
    for number, label in enumerate((1, 2)):
        assert np.array_equal(masks[..., number].astype(bool), pet.districts == label)


@pytest.mark.parametrize(
    "attributes",
    [
        {"SliceThickness": None},
        {"SliceThickness": ""},
        {"SpacingBetweenSlices": "-3"},
        {"LossyImageCompression": ""},
    ],
)
def test_measures_are_those_of_the_grid(tmp_path: Path, attributes: dict[str, Any]) -> None:
    """Slice Thickness is no use where it is missing; some scanners write a spacing below 0."""
    paths = write_ct_series(tmp_path / "source", slices=6, **attributes)
    made = write_pet_of(open_series(paths), paths, tmp_path / "derived", PET_DERIVATION)
    assert check_derived({"CT": made.source}, made.paths) == []  # whose headers are as they were
    assert [error for path in made.paths for error in dciodvfy_errors(path)] == []
    (path,) = made.series["SEG"].paths
    (shared,) = pydicom.dcmread(path).SharedFunctionalGroupsSequence
    (measures,) = shared.PixelMeasuresSequence
    assert measures.SliceThickness == 3
    assert measures.get("SpacingBetweenSlices", 3) == 3


@pytest.mark.parametrize(
    ("name", "label", "code", "meaning"),
    [
        ("legs", "Legs", "61685007", "Lower limb"),
        ("trunk", "Trunk", "22943007", "Trunk"),
        ("head", "Head and neck", "774007", "Head and Neck"),
        ("arms", "Arms", "53120007", "Upper limb"),
    ],
)
def test_a_label_of_the_pipeline_is_named_as_what_it_is(
    pet: WrittenPet, tmp_path: Path, name: str, label: str, code: str, meaning: str
) -> None:
    """By the codes of PS3.16 CID 4031."""
    districts = np.where(pet.districts > 0, LABELS[name], 0).astype(np.uint8)
    written = write_districts(pet.source, pet.series["SPET"], districts, PET_DERIVATION, tmp_path)
    assert written is not None
    (segment,) = pydicom.dcmread(written.paths[0]).SegmentSequence
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    told = (segment.SegmentLabel, kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning)
    assert told == (label, code, "SCT", meaning)


def test_every_district_has_a_colour_of_its_own(pet: WrittenPet, tmp_path: Path) -> None:
    """In blue, orange, green and purple: readers show all alike where none is named."""
    districts = pet.districts.copy()
    for name, label in LABELS.items():
        districts[:, :4, label] = LABELS[name]
    written = write_districts(pet.source, pet.series["SPET"], districts, PET_DERIVATION, tmp_path)
    assert written is not None
    segments = pydicom.dcmread(written.paths[0]).SegmentSequence
    colours = [CIELabColor.from_dicom_value(s.RecommendedDisplayCIELabValue) for s in segments]
    told = {s.SegmentLabel: c.to_rgb() for s, c in zip(segments, colours, strict=True)}
    assert told == {
        "Legs": (0, 114, 178),
        "Trunk": (230, 159, 0),
        "Head and neck": (1, 158, 115),
        "Arms": (204, 121, 167),
    }


def test_is_no_synthetic_image(pet: WrittenPet) -> None:
    ds = pydicom.dcmread(pet.series["SEG"].paths[0])
    assert "SyntheticData" not in ds
    assert ds.SeriesDescription == "VSCANNER body districts"
    assert pet.series["SEG"].sop_class_uid == ds.SOPClassUID


@pytest.mark.parametrize(
    ("record", "name", "version", "family"),
    [
        ({"model": {"districts": "geometric 1"}}, "geometric", "1", "Morphological Operations"),
        (
            {"model": {"districts": "body model 2.0"}},
            "body model",
            "2.0",
            "Artificial Intelligence",
        ),
        ({}, "unknown", "unknown", "Artificial Intelligence"),
    ],
)
def test_says_what_told_the_districts(
    pet: WrittenPet, tmp_path: Path, record: dict[str, Any], name: str, version: str, family: str
) -> None:
    by = replace(PET_DERIVATION, record=record)
    written = write_districts(pet.source, pet.series["SPET"], pet.districts, by, tmp_path)
    assert written is not None
    segment = pydicom.dcmread(written.paths[0]).SegmentSequence[0]
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    (kind,) = algorithm.AlgorithmFamilyCodeSequence
    told = (algorithm.AlgorithmName, algorithm.AlgorithmVersion, kind.CodeMeaning)
    assert told == (name, version, family)


def test_segment_numbers_have_no_gap(pet: WrittenPet, tmp_path: Path) -> None:
    districts = np.where(pet.districts == 2, 4, 0).astype(np.uint8)
    written = write_districts(pet.source, pet.series["SPET"], districts, PET_DERIVATION, tmp_path)
    assert written is not None
    ds = pydicom.dcmread(written.paths[0])
    assert [(d.SegmentNumber, d.SegmentLabel) for d in ds.SegmentSequence] == [(1, "Arms")]
    assert dciodvfy_errors(written.paths[0]) == []


def test_no_body_makes_no_file(pet: WrittenPet, tmp_path: Path) -> None:
    empty = np.zeros_like(pet.districts)
    assert write_districts(pet.source, pet.series["SPET"], empty, PET_DERIVATION, tmp_path) is None


def test_other_grid_is_refused(pet: WrittenPet, tmp_path: Path) -> None:
    with pytest.raises(DerivedObjectError, match="shape"):
        write_districts(pet.source, pet.series["SPET"], pet.districts[1:], PET_DERIVATION, tmp_path)
