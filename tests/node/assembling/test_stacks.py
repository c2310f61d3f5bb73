from __future__ import annotations

import random
from pathlib import Path

import pydicom
import pytest

from dicom_profiles.reading import read_instances
from dicom_profiles.sources.series import SourceInstance
from node.assembling.stacks import numbers, split_series
from tests.dual_echo import write_dual_echo
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series

UIDS = {"study_uid": "1.2.3", "series_uid": "1.2.3.4", "frame_of_reference": "1.2.3.5"}


def instances(folder: Path) -> list[SourceInstance]:
    return list(read_instances(folder).instances)


def test_one_series_is_one_stack(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)
    (stack,) = split_series(instances(tmp_path))
    assert (len(stack.instances), stack.label, stack.difference) == (12, "axial CT, 64 x 64", "")


@pytest.mark.parametrize(
    ("attributes", "label", "difference"),
    [
        (
            {
                "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
                "ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"],
            },
            "coronal CT localiser, 64 x 64",
            "localiser, orientation",
        ),
        (
            {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
            "axial CT derived, 64 x 64",
            "original or derived",
        ),
        ({"PixelSpacing": ["0.5", "0.5"]}, "axial CT, 64 x 64", "pixel spacing"),
        ({"rows": 96}, "axial CT, 96 x 64", "matrix"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "axial CT, 64 x 64", "kind of object"),
    ],
)
def test_what_differs_is_split_off(
    tmp_path: Path, attributes: dict[str, object], label: str, difference: str
) -> None:
    write_ct_series(tmp_path / "a", slices=12, **UIDS)  # type: ignore[arg-type]
    write_ct_series(tmp_path / "b", slices=2, **UIDS, **attributes)  # type: ignore[arg-type]
    found = instances(tmp_path)
    stacks = split_series(found)
    assert [len(stack.instances) for stack in stacks] == [12, 2]
    assert (stacks[1].label, stacks[1].difference) == (label, difference)
    random.Random(0).shuffle(found)
    again = split_series(found)
    assert [[str(header.SOPInstanceUID) for header in stack.headers] for stack in again] == [
        [str(header.SOPInstanceUID) for header in stack.headers] for stack in stacks
    ]


@pytest.mark.parametrize(
    ("numbers", "labels"),
    [
        ((1, 2), ["axial CT acquisition 1, 64 x 64", "axial CT acquisition 2, 64 x 64"]),
        ((1, 1), ["axial CT, 64 x 64"]),  # nothing tells them apart: one stack, which is refused
        ((1, None), ["axial CT, 64 x 64"]),
    ],
)
def test_acquisitions_of_the_same_places_are_split(
    tmp_path: Path, numbers: tuple[int | None, ...], labels: list[str]
) -> None:
    for number, folder in zip(numbers, "ab", strict=True):
        write_ct_series(tmp_path / folder, slices=6, AcquisitionNumber=number, **UIDS)  # type: ignore[arg-type]
    stacks = split_series(instances(tmp_path))
    assert [stack.label for stack in stacks] == labels
    assert sum(len(stack.instances) for stack in stacks) == 12


def test_rotations_with_numbers_of_their_own_stay_together(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=6, **UIDS)  # type: ignore[arg-type]
    for number, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        ds.AcquisitionNumber = number // 2
        ds.save_as(path)
    (stack,) = split_series(instances(tmp_path))
    assert len(stack.instances) == 6


def test_rounding_of_the_orientation_splits_nothing(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=6, **UIDS)  # type: ignore[arg-type]
    tilted = ["0.99999", "0.0001", "0", "-0.0001", "0.99999", "0"]
    write_ct_series(tmp_path / "b", slices=6, ImageOrientationPatient=tilted, **UIDS)  # type: ignore[arg-type]
    (stack,) = split_series(instances(tmp_path))
    assert len(stack.instances) == 12


@pytest.mark.parametrize("time", [None, ""])
def test_the_number_of_an_echo_is_not_told_as_its_time(tmp_path: Path, time: str | None) -> None:
    write_dual_echo(tmp_path, one_series=True, EchoTime=time)
    assert sorted(stack.label for stack in split_series(instances(tmp_path))) == [
        "axial MR echo 1, 128 x 128",
        "axial MR echo 2, 128 x 128",
    ]


def test_real_surveys_have_three_orientations(shared_data: Path) -> None:
    stacks = split_series(instances(shared_data / "mr_abdomen_philips_survey"))
    assert {stack.label.split()[0] for stack in stacks} == {"axial", "coronal", "sagittal"}


def test_every_mammogram_is_a_stack_of_its_own(tmp_path: Path) -> None:
    for number in (1, 2):
        uid = f"1.2.3.{number}"
        write_mammogram(tmp_path / f"{number}.dcm", SOPInstanceUID=uid, SeriesInstanceUID="1.2")
    stacks = split_series(instances(tmp_path))
    assert [len(stack.instances) for stack in stacks] == [1, 1]
    assert all(stack.is_projection for stack in stacks)


def test_images_without_a_place_are_not_split_by_acquisition(tmp_path: Path) -> None:
    """Nothing says then that two lie at one place."""
    write_ct_series(tmp_path, slices=3, ImagePositionPatient=None, **UIDS)  # type: ignore[arg-type]
    (stack,) = split_series(instances(tmp_path))
    assert len(stack.instances) == 3


@pytest.mark.parametrize(
    ("value", "count", "wanted"),
    [
        (["1", "2.5"], None, (1.0, 2.5)),
        (["1", "2.5"], 2, (1.0, 2.5)),
        (["1", "2.5"], 3, ()),
        (["1", "nan"], 2, ()),
        (["1", "inf"], None, ()),
        (["1", "left"], None, ()),
        (None, None, ()),
    ],
)
def test_numbers_are_as_many_as_wanted_and_finite(
    value: object, count: int | None, wanted: tuple[float, ...]
) -> None:
    assert numbers(value, count) == wanted
