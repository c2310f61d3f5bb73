from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from dicom_profiles.ahead import ITEMS_AHEAD
from dicom_profiles.errors import GeometryError, ProfileError, SeriesError, UnreadableInstance
from dicom_profiles.reading import open_series, read_header
from dicom_profiles.sources.series import SourceInstance, SourceSeries
from tests.synthetic import phantom_slice, write_ct_dataset, write_ct_series


def test_files_in_any_order_are_sorted_along_the_normal(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=6, spacing=(2.5, 1.0, 0.5))
    series = open_series(reversed(paths))
    assert [instance.path for instance in series.instances] == paths
    assert series.shape == (6, 64, 64)
    np.testing.assert_allclose(np.linalg.norm(series.affine[:3, :3], axis=0), [2.5, 1.0, 0.5])


def test_values_are_those_of_the_phantom(tmp_path: Path) -> None:
    volume = open_series(write_ct_series(tmp_path, slices=3, noise_hu=0)).load()
    assert volume.unit == "HU"
    wanted = phantom_slice(position=0.0, noise_hu=0)
    np.testing.assert_allclose(volume.voxels[1], wanted, atol=0.5)


def test_identity_comes_from_the_headers(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=2, study_uid="1.2.3", series_uid="1.2.4",
                                         frame_of_reference="1.2.5"))  # fmt: skip
    assert (series.study_instance_uid, series.series_instance_uid) == ("1.2.3", "1.2.4")
    assert series.frame_of_reference == "1.2.5"
    assert len(series) == len(set(series.sop_instance_uids)) == 2


def test_slices_are_decoded_as_they_are_taken(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=ITEMS_AHEAD + 4)
    series = open_series(paths)
    paths[-1].write_bytes(b"gone")
    assert len(list(islice(series.slices(), 3))) == 3
    with pytest.raises(UnreadableInstance, match=paths[-1].name):
        list(series.slices())


def test_pixel_facts_are_remembered(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=3, padding_value=-2000)
    series = open_series(paths)
    list(series.slices())
    for path in paths:
        path.unlink()
    assert all(facts.padding is not None for facts in series.facts())


def test_pixel_facts_are_decoded_when_they_are_not_known(tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=3))
    assert len({facts.digest for facts in series.facts()}) == 3


REFUSALS: dict[str, dict[str, object]] = {
    "one SeriesInstanceUID": {"SeriesInstanceUID": "1.2.3"},
    "one PatientID, got 2 different": {"PatientID": "SOMEBODY-ELSE"},
    "one Rows": {"Rows": 32},
    "one Modality": {"Modality": "MR"},
    "multi-frame": {"NumberOfFrames": 2},
    "RescaleSlope with 1": {"RescaleSlope": None},
    "RescaleIntercept with 1": {"RescaleIntercept": None},
    "RescaleSlope should be above 0": {"RescaleSlope": "0"},
    "Rescale Type says US": {"RescaleType": "US"},
    "ImagePositionPatient with 3": {"ImagePositionPatient": ["0", "0"]},
    "ImageOrientationPatient with 6": {"ImageOrientationPatient": None},
    "PixelSpacing with 2": {"PixelSpacing": None},
    "above 0 mm": {"PixelSpacing": ["0", "1"]},
    "one FrameOfReferenceUID": {"FrameOfReferenceUID": "1.2.3"},
}


@pytest.mark.parametrize("sentence", REFUSALS)
def test_one_odd_instance_is_refused_with_a_sentence(tmp_path: Path, sentence: str) -> None:
    headers = [read_header(path) for path in write_ct_series(tmp_path, slices=3)]
    for keyword, value in REFUSALS[sentence].items():
        if value is None:
            del headers[1][keyword]
        else:
            setattr(headers[1], keyword, value)
    with pytest.raises(ProfileError, match=sentence):
        SourceSeries.of([SourceInstance(tmp_path, header) for header in headers])


def test_the_same_instance_twice_is_refused(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=2)
    with pytest.raises(SeriesError, match="occur twice"):
        open_series([*paths, paths[0]])


def test_a_slice_that_decodes_to_another_size_than_its_header_said_is_refused(
    tmp_path: Path,
) -> None:
    paths = write_ct_series(tmp_path, slices=2)
    series = open_series(paths)
    write_ct_dataset(phantom_slice(32, 32)).save_as(paths[1], enforce_file_format=True)
    with pytest.raises(SeriesError, match=r"should decode to \(64, 64\), got \(32, 32\)"):
        series.load()


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=6)
    with pytest.raises(GeometryError, match="a gap of about 1 slice:"):
        open_series(paths[:3] + paths[4:])


def test_no_instances_are_refused() -> None:
    with pytest.raises(SeriesError, match="at least one"):
        SourceSeries.of([])
