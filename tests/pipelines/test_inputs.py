from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.contract import Slice, VolumeSource
from pipelines.errors import InputError
from pipelines.inputs import checked_slices, refuse_empty, refuse_other_units, taken


def volume(unit: str = "HU") -> Volume:
    return Volume(np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.eye(4), unit)


@dataclass
class Claiming:
    """A source that says one thing and gives another."""

    shape: tuple[int, int, int]
    given: list[Slice]
    affine: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    frame_of_reference: str = ""

    def slices(self) -> Iterator[Slice]:
        return iter(self.given)


def test_inputs_come_in_the_order_of_the_card() -> None:
    inputs = {"OOP": volume("1"), "IP": volume("1")}
    found = taken(inputs, catalog.card("mr_to_ct"))
    assert list(found) == ["IP", "OOP"]
    assert found == inputs


@pytest.mark.parametrize(
    ("keys", "got"), [((), "nothing"), (("MR",), "MR"), (("MR", "CT"), "CT, MR")]
)
def test_other_inputs_are_refused_by_name(keys: tuple[str, ...], got: str) -> None:
    with pytest.raises(InputError, match=f"^ldct_denoise takes CT; got: {got}.$"):
        taken(dict.fromkeys(keys, volume()), catalog.card("ldct_denoise"))
    with pytest.raises(InputError, match="takes IP and OOP, or IP, or T1; got: OOP"):
        taken({"OOP": volume()}, catalog.card("mr_to_ct"))


def test_another_unit_is_refused() -> None:
    with pytest.raises(InputError, match="'CT' should be in HU, got a volume in '1'"):
        refuse_other_units({"CT": volume("1")}, catalog.card("ldct_denoise"))
    with pytest.raises(InputError, match=r"'OOP' has no unit \('1'\), got a volume in 'HU'"):
        refuse_other_units({"IP": volume("1"), "OOP": volume("HU")}, catalog.card("mr_to_ct"))


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_what_holds_nothing_is_refused(shape: tuple[int, int, int]) -> None:
    refuse_empty({"CT": Claiming((1, 1, 1), [])})
    with pytest.raises(InputError, match="'LE' should hold slices, rows and columns, got"):
        refuse_empty({"CT": Claiming((2, 3, 4), []), "LE": Claiming(shape, [])})


def test_slices_pass_unchanged() -> None:
    ct = volume()
    np.testing.assert_array_equal(list(checked_slices(VolumeSource(ct))), ct.voxels)


def test_a_source_that_does_not_keep_its_word_is_refused() -> None:
    image = np.zeros((3, 4), np.float32)
    broken = image.copy()
    broken[1, 1] = np.nan
    for given, sentence in (
        ([image, image[:2]], "should be 3 x 4"),
        ([image, broken], "Slice 2 of 2 holds values that are no numbers"),
        ([image], "should give 2 slices, got 1"),
        ([image] * 3, "should give 2 slices, got 3"),
    ):
        with pytest.raises(InputError, match=sentence):
            list(checked_slices(Claiming((2, 3, 4), given)))
