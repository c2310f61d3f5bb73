from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import JPEG2000, UID

from dicom_profiles import inherited
from dicom_profiles.checks.check import check_derived
from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.errors import DerivedObjectError, ProfileError
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series, read_header, read_instances
from tests.dicom_profiles.conftest import Written, write_all
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors, strict_faults
from tests.synthetic import write_ct_series

RETAINED = (
    "KVP",
    "XRayTubeCurrent",
    "ExposureTime",
    "Exposure",
    "CTDIvol",
    "CTDIPhantomTypeCodeSequence",
    "SpiralPitchFactor",
    "ExposureModulationType",
    "IrradiationEventUID",
    "ConvolutionKernel",
    "AcquisitionDate",
    "WindowCenter",
)


def images(written: Written) -> list[tuple[Dataset, Dataset]]:
    """Pairs of (derived, source) data sets."""
    return [
        (pydicom.dcmread(derived), pydicom.dcmread(instance.path))
        for derived, instance in zip(written.images.paths, written.source.instances, strict=True)
    ]


def write_without_fault(folder: Path, derivation: Derivation, **attributes: Any) -> Written:
    """Two slices with these attributes and what is made of them, found valid by both checks."""
    paths = write_ct_series(folder / "s", slices=2, **attributes)
    written = write_all(folder / "d", paths, derivation)
    for path in written.paths:
        assert dciodvfy_errors(path) == []
    assert check_derived(written.sources, written.folder) == []
    return written


def test_validators_find_no_error(written: Written) -> None:
    for path in written.images.paths:
        assert dciodvfy_errors(path) == []
        strict_faults(path)


def test_source_and_outputs_agree(written: Written) -> None:
    assert dcentvfy_errors([*written.source_paths, *written.paths]) == []


def test_the_source_itself_is_without_error(written: Written) -> None:
    assert dciodvfy_errors(written.source_paths[0]) == []


def test_values_come_back_on_the_same_grid(written: Written) -> None:
    series = open_series(written.images.paths)
    volume = series.load()
    padded = written.source.load().voxels == -1024
    np.testing.assert_allclose(volume.voxels[~padded], written.output[~padded], atol=0.5)
    np.testing.assert_array_equal(series.affine, written.source.affine)


def test_padding_is_that_of_the_source(written: Written) -> None:
    for derived, source in images(written):
        padded = source.pixel_array == source.PixelPaddingValue
        np.testing.assert_array_equal(derived.pixel_array == derived.PixelPaddingValue, padded)
        assert derived.PixelPaddingValue == source.PixelPaddingValue == -2000


def test_geometry_is_copied_string_by_string(written: Written) -> None:
    for derived, source in images(written):
        for tag in inherited.tags(inherited.PLACE):
            if tag in source:
                assert derived.get_item(tag).value == source.get_item(tag).value
        assert derived.InstanceNumber == source.InstanceNumber


def test_what_is_still_true_of_the_photons_stays(written: Written) -> None:
    for derived, source in images(written):
        for keyword in RETAINED:
            assert derived[keyword] == source[keyword]


def test_the_node_made_it_and_the_source_is_named(written: Written) -> None:
    for derived, source in images(written):
        assert derived.Manufacturer == "Virtual Scanner"
        assert list(derived.ImageType) == [
            "DERIVED", "SECONDARY", "AXIAL", "", "SYNTHETIC", "AI_DENOISED",
        ]  # fmt: skip
        assert derived.SeriesDescription == "SYNTHETIC DENOISED LOW DOSE CHEST 3.0"
        assert derived.SeriesNumber == 93_003
        (item,) = derived.SourceImageSequence
        assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert derived.StudyInstanceUID == source.StudyInstanceUID
        assert "InstitutionName" not in derived


def test_nothing_from_outside_the_tables_is_inherited(
    tmp_path: Path, derivation: Derivation
) -> None:
    paths = write_ct_series(
        tmp_path / "source", slices=2, OperatorsName="A^B", PerformedProcedureStepID="1",
        SmallestImagePixelValue=0, LargestImagePixelValue=4095,
    )  # fmt: skip
    for path in paths:
        ds = pydicom.dcmread(path)
        ds.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", "secret")
        ds.save_as(path)
    written = write_all(tmp_path / "derived", paths, derivation)
    for derived, source in images(written):
        assert (0x0029, 0x0010) in source
        for keyword in ("OperatorsName", "PerformedProcedureStepID", "LargestImagePixelValue"):
            assert keyword in source
            assert keyword not in derived
        assert {e.tag.group for e in derived if e.tag.is_private} == {0x0099}


def test_a_repeat_gives_the_same_bytes(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    again = write_denoised_ct(
        open_series(reversed(written.source_paths)), iter(written.output), derivation, tmp_path
    )
    assert again.sop_instance_uids == written.images.sop_instance_uids
    for first, second in zip(written.images.paths, again.paths, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_other_pixels_get_another_uid_and_stay_in_the_series(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    output = written.output.copy()
    output[2, 30, 30] += 5
    again = write_denoised_ct(written.source, iter(output), derivation, tmp_path)
    same = [a == b for a, b in zip(again.sop_instance_uids, written.images.sop_instance_uids,
                                   strict=True)]  # fmt: skip
    assert same == [True, True, False, True, True]
    assert again.series_instance_uid == written.images.series_instance_uid


def test_another_model_makes_another_series(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    model = replace(derivation.model, weights_sha256="cd" * 32)
    again = write_denoised_ct(
        written.source, iter(written.output), replace(derivation, model=model), tmp_path
    )
    assert again.series_instance_uid != written.images.series_instance_uid
    assert UID(again.series_instance_uid).is_valid


@pytest.mark.parametrize("count", [0, 4, 6])
def test_another_count_than_the_source_is_refused(
    tmp_path: Path, written: Written, derivation: Derivation, count: int
) -> None:
    slices = [written.output[0]] * count
    with pytest.raises(DerivedObjectError, match="should have 5 slices"):
        write_denoised_ct(written.source, iter(slices), derivation, tmp_path)


def test_another_shape_is_refused(tmp_path: Path, written: Written, derivation: Derivation) -> None:
    with pytest.raises(DerivedObjectError, match="shape"):
        write_denoised_ct(written.source, iter(written.output[:, 1:]), derivation, tmp_path)


def test_a_source_without_uids_is_refused(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    source = open_series(written.source_paths)
    source.headers[0].SOPClassUID = ""
    with pytest.raises(DerivedObjectError, match="SOPClassUID"):
        write_denoised_ct(source, iter(written.output), derivation, tmp_path)


def test_a_sparse_source_still_makes_a_valid_object(tmp_path: Path, derivation: Derivation) -> None:
    absent: dict[str, Any] = dict.fromkeys(
        ("PatientAge", "AccessionNumber", "StudyID", "SliceLocation", "BodyPartExamined", "KVP",
         "WindowCenter", "WindowWidth", "SeriesDescription", "SeriesNumber", "Manufacturer",
         "SpecificCharacterSet", "CTDIvol", "CTDIPhantomTypeCodeSequence", "AcquisitionNumber")
    )  # fmt: skip
    written = write_without_fault(tmp_path, derivation, PatientName="Plain^Name", **absent)
    assert pydicom.dcmread(written.images.paths[0]).WindowCenter == [40, -600, 400]


@pytest.mark.parametrize(
    ("center", "width", "function"),
    [
        ("40", "0", "LINEAR"),
        ("40", "-400", "LINEAR"),
        ("nan", "400", "LINEAR"),
        ("40", "1e999", "LINEAR"),
        ("40\\50", "400", "LINEAR"),
        ("", "", "LINEAR"),
        ("40", "400", "SQUARE"),
    ],
)
def test_a_window_that_is_none_is_not_taken_over(
    tmp_path: Path, derivation: Derivation, center: str, width: str, function: str
) -> None:
    paths = write_ct_series(tmp_path / "s", slices=2)
    values = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    for path in paths:
        ds = pydicom.dcmread(path)
        for keyword, value in values.items():
            tag, raw = Tag(keyword), value.encode().ljust(len(value) + len(value) % 2)
            vr = "CS" if keyword == "VOILUTFunction" else "DS"
            ds[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)
        ds.save_as(path)
    written = write_all(tmp_path / "d", paths, derivation)
    assert pydicom.dcmread(written.images.paths[0]).WindowCenter == [40, -600, 400]
    assert check_derived(written.sources, written.folder) == []


def test_a_window_whose_function_is_empty_is_taken_over_without(
    tmp_path: Path, derivation: Derivation
) -> None:
    paths = write_ct_series(tmp_path / "s", slices=2, VOILUTFunction="")
    written = write_all(tmp_path / "d", paths, derivation)
    ds = pydicom.dcmread(written.images.paths[0])
    assert ("VOILUTFunction" in ds, ds.WindowCenter, ds.WindowWidth) == (False, 40, 400)


def test_a_trial_named_in_part_still_makes_a_valid_object(
    tmp_path: Path, derivation: Derivation
) -> None:
    named: dict[str, Any] = dict.fromkeys(inherited.TRIAL, "Trial 7")
    for path in write_without_fault(tmp_path, derivation, **named).paths:
        assert pydicom.dcmread(path).ClinicalTrialSubjectID == "Trial 7"


@pytest.mark.parametrize("spacing", ["-3", " -3.0", "3"])
def test_a_negative_distance_of_slices_is_left_out(
    tmp_path: Path, derivation: Derivation, spacing: str
) -> None:
    written = write_without_fault(tmp_path, derivation, SpacingBetweenSlices=spacing)
    for path in written.images.paths:
        kept = pydicom.dcmread(path).get("SpacingBetweenSlices")
        assert kept == (3 if spacing == "3" else None)


@pytest.mark.parametrize(("thickness", "kept"), [("0", None), ("0.000", None), ("3.0", 3)])
def test_a_thickness_of_nothing_is_left_empty(
    tmp_path: Path, derivation: Derivation, thickness: str, kept: float | None
) -> None:
    written = write_without_fault(tmp_path, derivation, SliceThickness=thickness)
    for path in written.images.paths:
        assert pydicom.dcmread(path)["SliceThickness"].value == kept


@pytest.mark.parametrize("lossy_header", [True, False])
def test_lossy_stays_lossy(tmp_path: Path, derivation: Derivation, lossy_header: bool) -> None:
    attributes: dict[str, Any] = {"LossyImageCompression": "01" if lossy_header else "00",
                  "LossyImageCompressionRatio": "8.5" if lossy_header else None}  # fmt: skip
    paths = write_ct_series(tmp_path / "s", slices=2, **attributes)
    source = open_series(paths)
    if not lossy_header:
        for header in source.headers:
            header.file_meta.TransferSyntaxUID = JPEG2000
    series = write_denoised_ct(source, source.slices(), derivation, tmp_path / "d")
    derived = pydicom.dcmread(series.paths[0])
    assert derived.LossyImageCompression == "01"
    assert derived.LossyImageCompressionRatio > 0
    assert lossy_header or derived.LossyImageCompressionMethod == "ISO_15444_1"


def test_every_character_set_survives(
    tmp_path: Path, shared_data: Path, derivation: Derivation
) -> None:
    tried = 0
    for path in sorted((shared_data / "odd" / "charset").iterdir()):
        named = pydicom.dcmread(path, stop_before_pixels=True)
        if "PatientName" not in named or "SpecificCharacterSet" not in named:
            continue
        sources = write_ct_series(tmp_path / "source", slices=2)
        for source_path in sources:
            ds = pydicom.dcmread(source_path)
            ds.SpecificCharacterSet = named.SpecificCharacterSet
            ds.add(named["PatientName"])
            ds.save_as(source_path)
        source = open_series(sources)
        series = write_denoised_ct(source, source.slices(), derivation, tmp_path / "derived")
        wanted, got = (pydicom.dcmread(p[0]) for p in (sources, series.paths))
        assert got.get_item("PatientName").value == wanted.get_item("PatientName").value, path.name
        assert str(got.PatientName) == str(named.PatientName), path.name
        assert check_derived({"CT": source}, series.paths) == [], path.name
        shutil.rmtree(tmp_path / "derived")
        tried += 1
    assert tried >= 12


REAL = ["ct_abdomen_philips_chaos/dicom", "ct_chest_philips_lidc0314", "ct_liver_ge_1004"]


@pytest.mark.parametrize("folder", REAL)
def test_real_series_come_out_valid(
    tmp_path: Path, shared_data: Path, derivation: Derivation, folder: str
) -> None:
    contents = read_instances(shared_data / folder)
    by_place = sorted(contents.instances, key=lambda i: float(i.header.ImagePositionPatient[2]))
    written = write_all(tmp_path, [instance.path for instance in by_place[:4]], derivation)
    for path in written.paths:
        assert dciodvfy_errors(path) == []
    assert check_derived(written.sources, written.folder) == []
    outside = [e for e in dcentvfy_errors([*written.source_paths, *written.paths])
               if "Missing SOPInstanceUID that was referenced" not in e]  # fmt: skip
    assert outside == []


def test_odd_single_slices_are_written_or_refused(
    tmp_path: Path, shared_data: Path, derivation: Derivation
) -> None:
    done = 0
    for path in sorted((shared_data / "syntaxes_cornerstone").iterdir()):
        try:
            source = open_series([path])
            series = write_denoised_ct(source, source.slices(), derivation, tmp_path / path.name)
        except ProfileError:
            continue
        assert dciodvfy_errors(series.paths[0]) == []
        assert read_header(series.paths[0]).Rows == source.shape[1]
        done += 1
    assert done >= 12
