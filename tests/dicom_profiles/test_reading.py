from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_profiles.errors import ProfileError, SeriesError, UnreadableInstance
from dicom_profiles.reading import (
    group_series,
    looks_like_dicom,
    open_series,
    read_header,
    read_instances,
    read_series,
)
from dicom_profiles.sources.pixels import decode
from dicom_profiles.sources.series import SourceSeries
from tests.synthetic import write_ct_series


def test_a_folder_is_read_whatever_lies_in_it(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "a" / "b", slices=3)
    write_ct_series(tmp_path / "c", slices=2)
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "empty").touch()
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(paths[0].read_bytes()[:400])
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + b"\x08\x00\x16\x00UI\x02\x001\x00")
    contents = read_instances(tmp_path)
    assert len(contents.instances) == 5
    assert contents.ignored == 2
    sentences = dict(contents.unreadable)
    assert set(sentences) == {broken, bare}
    assert "File Meta Information" in sentences[bare]
    groups = group_series(contents.instances)
    assert sorted(len(group) for group in groups.values()) == [2, 3]


def test_headers_hold_no_pixels(tmp_path: Path) -> None:
    header = read_header(write_ct_series(tmp_path, slices=1)[0])
    assert "PixelData" not in header
    assert header.file_meta.TransferSyntaxUID


def test_an_instance_without_uids_is_reported(tmp_path: Path) -> None:
    path = write_ct_series(tmp_path, slices=1, StudyInstanceUID=None)[0]
    with pytest.raises(UnreadableInstance, match="StudyInstanceUID"):
        read_header(path)
    assert read_header(path, required=()).Modality == "CT"


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone.dcm"
    assert [path for path, _ in read_instances(gone).unreadable] == [gone]


def test_one_series_becomes_a_volume(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=4)
    (tmp_path / "notes.txt").write_text("not DICOM")
    volume = read_series(tmp_path)
    assert volume.voxels.shape == (4, 64, 64)
    series = open_series(paths)
    np.testing.assert_array_equal(volume.voxels[2], decode(series.instances[2].path).hu)


def test_two_series_are_no_volume(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=2)
    write_ct_series(tmp_path / "b", slices=2)
    with pytest.raises(SeriesError, match="One series is wanted, got 2"):
        read_series(tmp_path)


def test_a_volume_with_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=3)
    paths[1].write_bytes(paths[1].read_bytes()[:140])
    with pytest.raises(SeriesError, match="cannot be read"):
        read_series(tmp_path)


def test_text_is_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("x" * 1000)
    assert not looks_like_dicom(path)


# Folder, slices, spacing in mm, and the mean HU that a plain reading of the files gives.
REAL_CT = [
    ("ct_abdomen_philips_chaos/dicom", 78, (2.0, 0.7265625, 0.7265625), -554.64),
    ("ct_body_siemens_mct", 20, (2.0, 0.9765625, 0.9765625), None),
    ("ct_chest_philips_lidc0314", 120, (1.0, 0.78125, 0.78125), -635.57),
    ("ct_liver_ge_1004", 41, (5.0, 0.796875, 0.796875), -686.28),
]


@pytest.mark.parametrize(("folder", "slices", "spacing", "mean"), REAL_CT)
def test_real_ct_series_read_in_hu(
    shared_data: Path,
    folder: str,
    slices: int,
    spacing: tuple[float, float, float],
    mean: float | None,
) -> None:
    volume = read_series(shared_data / folder)
    assert volume.voxels.shape == (slices, 512, 512)
    np.testing.assert_allclose(volume.spacing_mm, spacing, rtol=1e-5)
    assert volume.voxels.min() >= -1024
    assert 900 < volume.voxels.max() < 4096
    # Soft tissue is the commonest value inside a body, between fat and contrast.
    tissue = volume.voxels[(volume.voxels > -200) & (volume.voxels < 300)]
    assert -120 < float(np.median(tissue)) < 130
    if mean is not None:
        np.testing.assert_allclose(volume.voxels.mean(), mean, atol=0.1)


@pytest.mark.parametrize("folder", ["odd", "odd/charset", "syntaxes_cornerstone", "syntaxes_wg04"])
def test_odd_files_are_read_or_refused_with_a_sentence(shared_data: Path, folder: str) -> None:
    outcomes = {"read": 0, "refused": 0}
    sentences: list[str] = []
    for path in sorted((shared_data / folder).iterdir()):
        if path.is_dir():
            continue
        contents = read_instances(path)
        sentences.extend(sentence for _, sentence in contents.unreadable)
        try:
            volume = SourceSeries.of(contents.instances).load()
            outcomes["read"] += 1
            assert np.isfinite(volume.voxels).all()
        except ProfileError as e:
            outcomes["refused"] += 1
            sentences.append(str(e))
    assert all(sentence.endswith(".") for sentence in sentences)
    assert outcomes["refused"] > 0 or folder == "syntaxes_wg04"
    assert (outcomes["read"] > 0) == (folder != "odd/charset")


def test_a_series_of_three_orientations_is_refused(shared_data: Path) -> None:
    contents = read_instances(shared_data / "mr_abdomen_philips_survey")
    with pytest.raises(ProfileError, match="one orientation"):
        SourceSeries.of(contents.instances)


def test_a_large_value_stays_in_the_file_until_it_is_asked_for(tmp_path: Path) -> None:
    path = write_ct_series(tmp_path, slices=1)[0]
    ds = pydicom.dcmread(path)
    blob = bytes(100_000)
    ds.private_block(0x0029, "VENDOR", create=True).add_new(1, "OB", blob)
    ds.save_as(path)
    header = read_header(path)
    assert blob not in pickle.dumps(header)
    assert header[0x00291001].value == blob
