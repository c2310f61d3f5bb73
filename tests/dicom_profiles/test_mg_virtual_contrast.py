from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from dicom_profiles.checks.check import check_derived
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.mg_virtual_contrast import HIGHEST, write_virtual_contrast
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_source
from dicom_profiles.recognition.series import synthetic_signs
from dicom_profiles.sources.projection import SourceProjection
from dicom_profiles.writers import writer_for
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors, strict_faults
from tests.mammograms import breast, write_mammogram

DOSE_AND_CONTRAST = ("KVP", "Exposure", "OrganDose", "ContrastBolusAgent", "AnodeTargetMaterial")


@pytest.fixture
def source(tmp_path: Path) -> SourceProjection:
    path = write_mammogram(
        tmp_path / "le.dcm", ContrastBolusAgent="Iohexol", Exposure="70", OrganDose="0.01",
        AnodeTargetMaterial="RHODIUM", CompressionForce="91", PixelSpacing=["0.5", "0.5"],
    )  # fmt: skip
    found = open_source([path])
    assert isinstance(found, SourceProjection)
    return found


@pytest.fixture
def output() -> npt.NDArray[np.float32]:
    image: npt.NDArray[np.float32] = np.clip(breast() * 0.7, 0, 1)
    return image


@pytest.fixture
def written(
    source: SourceProjection,
    output: npt.NDArray[np.float32],
    derivation: Derivation,
    tmp_path: Path,
) -> Dataset:
    series = write_virtual_contrast(source, [output], derivation, tmp_path / "out")
    return pydicom.dcmread(series.paths[0])


def test_validators_find_no_error(
    written: Dataset, source: SourceProjection, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "VCE-0001.dcm"
    assert dciodvfy_errors(source.instances[0].path) == []
    assert dciodvfy_errors(path) == []
    strict_faults(path)
    assert dcentvfy_errors([source.instances[0].path, path]) == []


def test_report_and_label_go_with_it(
    source: SourceProjection,
    output: npt.NDArray[np.float32],
    derivation: Derivation,
    tmp_path: Path,
) -> None:
    sources = {"LE": source}
    (images,) = writer_for("cesm_vce")(sources, [output], {}, derivation, tmp_path / "all")
    report = write_qc_report(sources, (images,), derivation, tmp_path / "all")
    label = write_label(sources, images, derivation, tmp_path / "all")
    (shown,) = [pydicom.dcmread(path) for path in label.paths]
    assert (shown.BodyPartExamined, shown.Laterality) == ("BREAST", "L")
    (procedure,) = [
        item.ConceptCodeSequence[0].CodeMeaning
        for item in pydicom.dcmread(report.paths[0]).ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "121058"
    ]
    assert "unilateral mammogram" in procedure
    for path in (*report.paths, *label.paths):
        assert dciodvfy_errors(path) == []
    paths = [*images.paths, *report.paths, *label.paths]
    assert dcentvfy_errors([source.instances[0].path, *paths]) == []
    assert check_derived(sources, tmp_path / "all", for_dispatch=True) == []


def test_values_come_back(written: Dataset, output: npt.NDArray[np.float32]) -> None:
    np.testing.assert_allclose(written.pixel_array / HIGHEST, output, atol=0.5 / HIGHEST)
    assert (written.BitsStored, written.WindowCenter, written.WindowWidth) == (12, 2048, 4096)


def test_it_says_what_it_is(written: Dataset) -> None:
    assert written.SOPClassUID == DigitalMammographyXRayImageStorageForPresentation
    wanted = ["DERIVED", "SECONDARY", "", "", "", "SYNTHETIC", "VIRTUAL_CONTRAST"]
    assert [str(value or "") for value in written.ImageType] == wanted
    assert written.SeriesDescription.startswith("SYNTHETIC VCE recombined")
    assert written.AcquisitionDeviceProcessingDescription == "AI VIRTUAL CONTRAST"
    assert written.SeriesNumber == 91_005
    assert len(synthetic_signs(written)) == 5
    assert "no iodine was measured" in written.DerivationDescription


def test_nothing_says_that_contrast_or_dose_was_given(
    written: Dataset, source: SourceProjection
) -> None:
    for keyword in DOSE_AND_CONTRAST:
        assert keyword in source.headers[0]
        assert keyword not in written


def test_it_hangs_like_its_source(written: Dataset, source: SourceProjection) -> None:
    header = source.headers[0]
    for keyword in ("ImageLaterality", "ViewPosition", "PatientOrientation", "ImagerPixelSpacing",
                    "PixelSpacing", "CompressionForce", "FrameOfReferenceUID",
                    "ViewCodeSequence", "InstanceNumber"):  # fmt: skip
        assert written[keyword].value == header[keyword].value
    assert written.StudyInstanceUID == source.study_instance_uid
    assert written.SeriesInstanceUID != source.series_instance_uid


def test_a_repeat_gives_the_same_bytes(
    source: SourceProjection,
    output: npt.NDArray[np.float32],
    derivation: Derivation,
    tmp_path: Path,
) -> None:
    first, again = (
        write_virtual_contrast(source, [output], derivation, tmp_path / name).paths[0].read_bytes()
        for name in ("a", "b")
    )
    assert first == again
    other = replace(derivation, model=replace(derivation.model, version="9.9.9"))
    series = write_virtual_contrast(source, [output], other, tmp_path / "c")
    assert series.paths[0].read_bytes() != first


def test_a_view_without_code_gets_one(
    tmp_path: Path, output: npt.NDArray[np.float32], derivation: Derivation
) -> None:
    path = write_mammogram(tmp_path / "le.dcm", view="MLO", ViewCodeSequence=None)
    source = open_source([path])
    assert isinstance(source, SourceProjection)
    series = write_virtual_contrast(source, [output], derivation, tmp_path / "out")
    assert dciodvfy_errors(series.paths[0]) == []
    assert pydicom.dcmread(series.paths[0]).ViewCodeSequence[0].CodeValue == "399368009"


def test_small_letters_and_an_empty_positioner_are_no_faults(
    tmp_path: Path, output: npt.NDArray[np.float32], derivation: Derivation
) -> None:
    path = write_mammogram(tmp_path / "le.dcm", PositionerType="")
    path.write_bytes(path.read_bytes().replace(b"CS\x02\x00CC", b"CS\x02\x00cc"))
    source = open_source([path])
    assert isinstance(source, SourceProjection)
    series = write_virtual_contrast(source, [output], derivation, tmp_path / "out")
    ds = pydicom.dcmread(series.paths[0])
    assert (ds.ViewPosition, ds.PositionerType) == ("CC", "MAMMOGRAPHIC")
    assert check_derived({"LE": source}, series.paths) == []


def test_a_mammogram_without_view_is_refused(
    tmp_path: Path, output: npt.NDArray[np.float32], derivation: Derivation
) -> None:
    path = write_mammogram(tmp_path / "le.dcm", ViewCodeSequence=None, ViewPosition=None)
    source = open_source([path])
    assert isinstance(source, SourceProjection)
    with pytest.raises(DerivedObjectError, match="View"):
        write_virtual_contrast(source, [output], derivation, tmp_path / "out")


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "one image, got 0"),
        ([breast(), breast()], "one image, got 2"),
        ([breast(rows=299)], "shape"),
        ([breast() + 2], "from 0 to 1"),
        ([breast() * np.nan], "from 0 to 1"),
    ],
)
def test_other_output_is_refused(
    source: SourceProjection,
    derivation: Derivation,
    tmp_path: Path,
    images: list[npt.NDArray[np.float32]],
    words: str,
) -> None:
    with pytest.raises(DerivedObjectError, match=words):
        write_virtual_contrast(source, images, derivation, tmp_path / "out")


def test_a_stack_is_refused(derivation: Derivation, tmp_path: Path) -> None:
    from tests.synthetic import write_ct_series

    stack = open_source(write_ct_series(tmp_path / "ct", slices=2))
    with pytest.raises(DerivedObjectError, match="mammogram"):
        writer_for("cesm_vce")({"LE": stack}, [breast()], {}, derivation, tmp_path / "out")


def test_a_real_plain_mammogram_makes_a_valid_object(
    shared_data: Path, derivation: Derivation, tmp_path: Path
) -> None:
    (path,) = (shared_data / "mg").glob("*.dcm")
    source = open_source([path])
    assert isinstance(source, SourceProjection)
    image = np.zeros(source.shape[1:], np.float32)
    series = write_virtual_contrast(source, [image], derivation, tmp_path)
    # its birth date of zeros is the source's own fault, and is copied
    errors = [e for e in dciodvfy_errors(series.paths[0]) if "Birth Date" not in e]
    assert [e for e in errors if "invalid data values" not in e] == []
