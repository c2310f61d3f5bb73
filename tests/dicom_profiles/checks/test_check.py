from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicom_profiles.checks.check import check_derived
from dicom_profiles.provenance import Derivation
from tests.dicom_profiles.conftest import Written, write_all
from tests.servers import OrthancServer

Fault = Callable[[Dataset, Written], None]


@pytest.fixture
def copy(tmp_path: Path, written: Written) -> Path:
    """The derived files, to be damaged."""
    return Path(shutil.copytree(written.folder, tmp_path / "copy"))


def sentences(written: Written, folder: Path) -> str:
    return "\n".join(f"{f.path.name}: {f.sentence}" for f in check_derived(written.sources, folder))


def test_what_we_write_may_leave(written: Written) -> None:
    assert check_derived(written.sources, written.folder, for_dispatch=True) == []
    assert check_derived(written.sources, written.paths) == []


def setting(keyword: str, value: object) -> Fault:
    return lambda ds, written: setattr(ds, keyword, value)


def deleting(keyword: str) -> Fault:
    return lambda ds, written: ds.__delitem__(keyword)


def other_pixels(ds: Dataset, written: Written) -> None:
    ds.PixelData = ds.PixelData[:-2] + b"\x01\x02"


def fewer_pixels(ds: Dataset, written: Written) -> None:
    ds.PixelData = ds.PixelData[:-2]


def give_uid(ds: Dataset, uid: str) -> None:
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)


def source_uid(ds: Dataset, written: Written) -> None:
    give_uid(ds, written.source.sop_instance_uids[0])


def source_series(ds: Dataset, written: Written) -> None:
    ds.SeriesInstanceUID = written.source.series_instance_uid


def another_uid(ds: Dataset, written: Written) -> None:
    give_uid(ds, "2.25.1")


def foreign_private(ds: Dataset, written: Written) -> None:
    ds.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", "x")


def changed_record(ds: Dataset, written: Written) -> None:
    ds[0x00991003].value = str(ds[0x00991003].value).replace("AMBER", "GREEN")


def unknown_reference(ds: Dataset, written: Written) -> None:
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def two_sources(ds: Dataset, written: Written) -> None:
    ds.SourceImageSequence = Sequence([*ds.SourceImageSequence, *ds.SourceImageSequence])


def without_overlay(ds: Dataset, written: Written) -> None:
    del ds[0x60003000]


ROTATED = ["1", "0", "0", "0", "1", "0"]
IMAGE_FAULTS: dict[str, Fault] = {
    "Synthetic Data should be YES": setting("SyntheticData", "NO"),
    "Synthetic Data should": setting("SyntheticData", "MAYBE"),
    "should show 5 signs": deleting("ContributingEquipmentSequence"),
    "begin with SYNTHETIC": setting("SeriesDescription", "DENOISED"),
    "Content Qualification": setting("ContentQualification", "PRODUCT"),
    "Image Type should be": setting("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"]),
    "overlay with the label": without_overlay,
    "source's PatientID": setting("PatientID", "OTHER"),
    "source's PatientName": setting("PatientName", "Phantom^Juergen"),
    "source's PatientSex": deleting("PatientSex"),
    "source's StudyInstanceUID": setting("StudyInstanceUID", "1.2.3"),
    "source's AccessionNumber": setting("AccessionNumber", "ACC-2"),
    "SOP Instance UID of a source": source_uid,
    "Series Instance UID of the source": source_series,
    "derived from series, slice and pixels": another_uid,
    "the same in the File Meta": setting("SOPInstanceUID", "2.25.2"),
    "SeriesDate is in the future": setting("SeriesDate", "20990101"),
    "AcquisitionDateTime is in the future": setting("AcquisitionDateTime", "20990101120000"),
    "requires are missing: KVP": deleting("KVP"),
    "requires are missing: RescaleSlope": deleting("RescaleSlope"),
    "Private groups should be 0099": foreign_private,
    "ImagePositionPatient should be": setting("ImagePositionPatient", ["-175.0", "-175.0", "0.0"]),
    "ImageOrientationPatient should be": setting("ImageOrientationPatient", ROTATED),
    "PixelSpacing should be": setting("PixelSpacing", ["1", "1"]),
    "FrameOfReferenceUID should be": setting("FrameOfReferenceUID", "1.2.3"),
    "InstanceNumber should be": setting("InstanceNumber", 99),
    "Rows and Columns": setting("Rows", 32),
    "name exactly one image": two_sources,
    "differs from the digest": other_pixels,
    "Pixel Data should have": fewer_pixels,
    "match its digest": changed_record,
    "1 referenced instance(s)": unknown_reference,
}  # fmt: skip


@pytest.mark.parametrize("sentence", IMAGE_FAULTS)
def test_every_fault_of_an_image_is_found(written: Written, copy: Path, sentence: str) -> None:
    path = copy / "DEN-0003.dcm"
    ds = pydicom.dcmread(path)
    IMAGE_FAULTS[sentence](ds, written)
    ds.save_as(path)
    found = sentences(written, copy)
    assert sentence in found
    assert "DEN-0003.dcm" in found
    assert "PHANTOM-1" not in found
    assert "Phantom^" not in found


def evidence_fault(ds: Dataset, written: Written) -> None:
    study = ds.CurrentRequestedProcedureEvidenceSequence[0]
    study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def label_fault(ds: Dataset, written: Written) -> None:
    images = ds.ReferencedSeriesSequence[0].ReferencedImageSequence
    images[0].ReferencedSOPInstanceUID = "1.2.3"


COMPANION_FAULTS: list[tuple[str, Fault, str]] = [
    ("QC-0001.dcm", evidence_fault, "1 referenced instance(s)"),
    ("QC-0001.dcm", setting("SyntheticData", "NO"), "Synthetic Data"),
    ("QC-0001.dcm", deleting("ContributingEquipmentSequence"), "should show 3 signs"),
    ("QC-0001.dcm", setting("PatientID", "OTHER"), "source's PatientID"),
    ("QC-0001.dcm", deleting("CompletionFlag"), "missing: CompletionFlag"),
    ("LABEL-0001.dcm", label_fault, "1 referenced instance(s)"),
    ("LABEL-0001.dcm", setting("SeriesDescription", "label"), "begin with SYNTHETIC"),
]


@pytest.mark.parametrize(("name", "fault", "sentence"), COMPANION_FAULTS)
def test_every_fault_of_a_companion_is_found(
    written: Written, copy: Path, name: str, fault: Fault, sentence: str
) -> None:
    ds = pydicom.dcmread(copy / name)
    fault(ds, written)
    ds.save_as(copy / name)
    found = sentences(written, copy)
    assert name in found
    assert sentence in found


def test_a_missing_image_is_found(written: Written, copy: Path) -> None:
    (copy / "DEN-0002.dcm").unlink()
    found = sentences(written, copy)
    assert "There should be 5 images like in the source, got 4" in found
    assert "QC-0001.dcm: 2 referenced instance(s)" in found  # in the tree and in the evidence
    assert "LABEL-0001.dcm: 1 referenced instance(s)" in found


def test_the_same_image_twice_is_found(written: Written, copy: Path) -> None:
    shutil.copy(copy / "DEN-0001.dcm", copy / "DEN-0002.dcm")
    found = sentences(written, copy)
    assert "exactly one derived image" in found
    assert "a SOP Instance UID of its own" in found


def test_images_of_two_series_are_found(written: Written, copy: Path) -> None:
    ds = pydicom.dcmread(copy / "DEN-0002.dcm")
    ds.SeriesInstanceUID = "2.25.3"
    ds.save_as(copy / "DEN-0002.dcm")
    assert "form one series" in sentences(written, copy)


def test_a_truncated_file_is_found(written: Written, copy: Path) -> None:
    path = copy / "DEN-0002.dcm"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "DEN-0002.dcm" in sentences(written, copy)
    path.write_bytes(b"no DICOM")
    assert "DEN-0002.dcm: It cannot be read" in sentences(written, copy)


def test_an_empty_folder_is_found(written: Written, tmp_path: Path) -> None:
    (finding,) = check_derived(written.sources, tmp_path)
    assert "got 0" in finding.sentence
    assert check_derived(written.sources, [])


def test_what_was_made_without_the_gate_must_not_be_sent(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    ungated = replace(derivation, qc_verdict="UNGATED")
    made = write_all(tmp_path, written.source_paths, ungated)
    assert check_derived(made.sources, made.folder) == []
    found = check_derived(made.sources, made.folder, for_dispatch=True)
    assert len(found) == 5
    assert all("without the gate" in finding.sentence for finding in found)


@pytest.mark.orthanc
def test_objects_that_come_back_from_a_pacs_still_pass(
    tmp_path: Path, written: Written, orthanc: OrthancServer
) -> None:
    for path in written.paths:
        orthanc.upload(path)
    returned = []
    for series in (written.images, written.report, written.label):
        for identifier in orthanc.instances_of(series.series_instance_uid):
            path = tmp_path / f"{identifier}.dcm"
            path.write_bytes(orthanc.file(identifier))
            returned.append(path)
    assert len(returned) == len(written.paths)
    assert check_derived(written.sources, returned) == []
