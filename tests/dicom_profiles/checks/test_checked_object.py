from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.checks.checked_object import DerivedObject
from tests.dicom_profiles.conftest import Written


def changed(path: Path, to: Path, keyword: str, value: object) -> Path:
    """A copy of an object with one attribute changed."""
    ds = pydicom.dcmread(path)
    setattr(ds, keyword, value)
    ds.save_as(to / path.name)
    return to / path.name


def test_what_it_is_tells_by_its_class(written: Written) -> None:
    image, report, label = (
        DerivedObject.read(one.paths[0]) for one in (written.images, written.report, written.label)
    )
    assert [one.is_image for one in (image, report, label)] == [True, False, False]
    assert not any(one.is_mask for one in (image, report, label))


def test_the_digest_is_that_of_the_pixels_in_the_file(written: Written) -> None:
    path = written.images.paths[0]
    pixels = pydicom.dcmread(path).PixelData
    assert DerivedObject.read(path).pixels_sha256 == hashlib.sha256(pixels).hexdigest()


def test_images_of_one_series_share_what_is_not_their_own(written: Written, tmp_path: Path) -> None:
    first, *others = (DerivedObject.read(path).shared for path in written.images.paths)
    assert first is not None
    assert set(others) == {first}
    path = written.images.paths[1]
    own = changed(path, tmp_path, "SliceLocation", "17.5")
    assert DerivedObject.read(own).shared == first
    common = changed(path, tmp_path, "PatientID", "ANOTHER")
    assert DerivedObject.read(common).shared != first


@pytest.mark.parametrize("keyword", ["SliceLocation", "ImagePositionPatient"])
def test_an_own_attribute_that_is_empty_is_not_like_one_with_a_value(
    written: Written, tmp_path: Path, keyword: str
) -> None:
    path = written.images.paths[1]
    emptied = DerivedObject.read(changed(path, tmp_path, keyword, None)).shared
    assert emptied != DerivedObject.read(path).shared


def nested(depth: int, uid: str) -> Dataset:
    """A data set that refers to an instance, so many sequences deep."""
    ds = Dataset()
    if depth == 0:
        ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = "1.2", uid
        return ds
    ds.ReferencedImageSequence = [nested(depth - 1, uid)]
    return ds


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_references_are_found_at_any_depth_in_files_and_in_memory(
    written: Written, tmp_path: Path, depth: int
) -> None:
    uid = "1.2.826.0.1.3680043.8.498.77"
    path = written.images.paths[0]
    sequence = nested(depth, uid).ReferencedImageSequence
    in_file = DerivedObject.read(changed(path, tmp_path, "ReferencedImageSequence", sequence))
    assert uid in in_file.references()
    ds = pydicom.dcmread(path)
    ds.ReferencedImageSequence = sequence
    assert uid in DerivedObject(path, ds, "", None).references()
    assert uid not in in_file.source_images()


def test_an_image_names_its_source(written: Written) -> None:
    named = [DerivedObject.read(path).source_images() for path in written.images.paths]
    assert named == [(uid,) for uid in written.source.sop_instance_uids]
