"""The synthetic PET with its companions: valid, labelled, exact, repeatable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_profiles.checks.check import check_derived
from dicom_profiles.checks.checked_object import DerivedObject
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.pet_from_ct import LARGEST_SUV, stored_values, write_synthetic_pet
from dicom_profiles.recognition.series import synthetic_signs
from dicom_profiles.suv import suv_scale
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors, strict_faults
from tests.dicom_profiles.whole_body import PET_DERIVATION, WrittenPet, write_pet, write_pet_of


@pytest.fixture(scope="module")
def pet(tmp_path_factory: pytest.TempPathFactory) -> WrittenPet:
    """Six slices and everything that is made of them; read only."""
    return write_pet(tmp_path_factory.mktemp("pet"))


def test_every_kind_of_object_is_valid(pet: WrittenPet) -> None:
    assert set(pet.series) == {"SPET", "SUVMAP", "SEG", "QC", "LABEL"}
    for series in pet.series.values():
        assert dciodvfy_errors(series.paths[0]) == []
        strict_faults(series.paths[0])


def test_a_thickness_of_nothing_is_left_empty(tmp_path: Path) -> None:
    pet = write_pet(tmp_path, slices=3, SliceThickness="0")
    for series in pet.series.values():
        assert dciodvfy_errors(series.paths[0]) == []
    assert pydicom.dcmread(pet.series["SPET"].paths[0])["SliceThickness"].is_empty
    assert check_derived({"CT": pet.source}, pet.paths, for_dispatch=True) == []


def test_study_agrees(pet: WrittenPet) -> None:
    assert dcentvfy_errors([*pet.source_paths, *pet.paths]) == []


def test_own_check_finds_nothing(pet: WrittenPet) -> None:
    assert check_derived({"CT": pet.source}, pet.paths, for_dispatch=True) == []


def test_values_come_back(pet: WrittenPet) -> None:
    for path, wanted in zip(pet.series["SPET"].paths, pet.suv, strict=True):
        ds = pydicom.dcmread(path)
        found = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        assert np.abs(found - wanted).max() <= 0.0005 + 1e-6


def test_says_that_nothing_was_given_or_measured(pet: WrittenPet) -> None:
    ds = pydicom.dcmread(pet.series["SPET"].paths[0])
    assert list(ds.ImageType) == ["DERIVED", "PRIMARY", "SYNTHETIC", "SPET_FROM_CT"]
    assert len(ds.RadiopharmaceuticalInformationSequence) == 0
    assert ds.DecayCorrection == "NONE"
    assert not ds.CorrectedImage
    assert "VOILUTFunction" not in ds  # then LINEAR, PS3.3 C.11.2.1.2:
    assert float(ds.WindowCenter) - 0.5 - (float(ds.WindowWidth) - 1) / 2 == 0.0
    assert float(ds.WindowCenter) - 0.5 + (float(ds.WindowWidth) - 1) / 2 == 7.0
    assert "PatientPosition" not in ds
    assert "KVP" not in ds
    assert len(synthetic_signs(ds)) == 5


def test_reads_as_suv(pet: WrittenPet) -> None:
    assert suv_scale([pydicom.dcmread(pet.series["SPET"].paths[0])]).factor == 1.0


def test_compatibility_is_said_when_it_is_asked_for(pet: WrittenPet, tmp_path: Path) -> None:
    parameters = {**PET_DERIVATION.parameters, "viewer_compatibility": 1.0}
    derivation = replace(PET_DERIVATION, parameters=parameters)
    series = write_synthetic_pet(pet.source, iter(pet.suv), derivation, tmp_path)
    ds = pydicom.dcmread(series.paths[0])
    assert list(ds.CorrectedImage) == ["DECY", "ATTN"]
    assert (ds.DecayCorrection, ds.DecayFactor) == ("START", 1)
    assert dciodvfy_errors(series.paths[0]) == []
    assert series.series_instance_uid != pet.series["SPET"].series_instance_uid


def test_repeat_gives_the_same_bytes(pet: WrittenPet, tmp_path: Path) -> None:
    again = write_pet_of(pet.source, pet.source_paths, tmp_path, PET_DERIVATION)
    for one, other in zip(pet.paths, again.paths, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_wrong_counts_and_shapes_are_refused(pet: WrittenPet, tmp_path: Path) -> None:
    for slices, words in (
        (pet.suv[:-1], "only 5 slices"),
        ([*pet.suv, pet.suv[0]], "got more"),
        (pet.suv[:, :-1], "of shape"),
    ):
        with pytest.raises(DerivedObjectError, match=words):
            write_synthetic_pet(pet.source, iter(slices), PET_DERIVATION, tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, LARGEST_SUV + 0.1])
def test_values_that_do_not_fit_are_refused(value: float) -> None:
    with pytest.raises(DerivedObjectError, match="SUV should be"):
        stored_values(np.array([[0.0, value]], np.float32))


def test_check_finds_a_pet_that_lies(pet: WrittenPet, tmp_path: Path) -> None:
    ds = pydicom.dcmread(pet.series["SPET"].paths[0])
    ds.Units = "BQML"
    ds.KVP = "120"
    ds.save_as(tmp_path / "lie.dcm")
    paths = [tmp_path / "lie.dcm", *pet.series["SPET"].paths[1:]]
    sentences = {finding.sentence for finding in check_derived({"CT": pet.source}, paths)}
    assert {"Units should be GML.", "KVP should be absent."} <= sentences


def test_slices_share_what_they_say(pet: WrittenPet) -> None:
    """The check then looks at it once, however many slices there are."""
    shared = {DerivedObject.read(path).shared for path in pet.series["SPET"].paths}
    assert len(shared) == 1
    assert None not in shared
