from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.reading import open_series
from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.contract import (
    EngineFacts,
    Pipeline,
    Progress,
    QualityRecord,
    Slice,
    SliceSource,
    Translation,
)
from pipelines.errors import InputError, ParameterError
from pipelines.gates import gate
from pipelines.scanner import Scanner
from tests.synthetic import write_ct_series

CARD = catalog.card("mr_to_ct")
ENGINE = EngineFacts("sum", "cpu", "any", "fp32", {}, 0.0)
AFFINE = np.array([[0, 0, 4.0, -30], [0, 4.0, 0, -40], [5.0, 0, 0, 7], [0, 0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Summing(Scanner):
    """Adds up its inputs, and keeps what it was asked for."""

    asked: list[tuple[tuple[str, ...], Mapping[str, float]]] = field(default_factory=list)

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        self.asked.append((tuple(sources), values))
        shape = next(iter(sources.values())).shape
        record = QualityRecord("GREEN", (), 0.0, {}, values, {}, ENGINE, shape[0])

        def slices() -> Generator[Slice, None, None]:
            for done, images in enumerate(
                zip(*(s.slices() for s in sources.values()), strict=True)
            ):
                progress(done + 1, shape[0])
                yield np.sum(images, axis=0)

        mask = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
        return Translation(slices(), lambda: record, lambda: {"mask": mask})


def volume(level: float, unit: str = "1", affine: npt.NDArray[np.float64] = AFFINE) -> Volume:
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4) * np.float32(level)
    return Volume(voxels, affine, unit, f"1.2.{level:g}")


@pytest.fixture
def scanner() -> Summing:
    return Summing(CARD)


def test_volumes_come_back_on_the_grid_of_the_first_input_of_the_card(scanner: Summing) -> None:
    inputs = {"OOP": volume(2, affine=2 * AFFINE), "IP": volume(1)}  # the card names IP first
    result = scanner(inputs)
    np.testing.assert_array_equal(result.volume.voxels, inputs["IP"].voxels * 3)
    for made in (result.volume, *result.companions.values()):
        np.testing.assert_array_equal(made.affine, AFFINE)
        assert made.frame_of_reference == "1.2.1"
    assert (result.volume.unit, result.companions["mask"].unit) == (CARD.output_unit, "1")
    np.testing.assert_array_equal(result.companions["mask"].voxels.ravel(), np.arange(24))
    assert result.record.slices == 2


def test_sources_come_in_the_order_of_the_card_with_every_parameter(scanner: Summing) -> None:
    scanner({"OOP": volume(2), "IP": volume(1)}, {"answers": 1})
    ((keys, values),) = scanner.asked
    assert keys == ("IP", "OOP")
    assert values == CARD.parameters_from({"answers": 1})


def test_progress_is_handed_on(scanner: Summing, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = open_series(write_ct_series(tmp_path, slices=2))
    slices = scanner.translate({"T1": source}, progress=lambda *at: told.append(at)).slices
    assert len(list(slices)) == 2
    assert told == [(1, 2), (2, 2)]


def test_the_gate_is_that_of_the_pipeline(scanner: Pipeline, tmp_path: Path) -> None:
    inputs = {"T1": open_series(write_ct_series(tmp_path, slices=3))}
    assert scanner.gate(inputs) == gate("mr_to_ct", inputs)
    assert "This is not a MR series" in scanner.gate(inputs).reason


def test_what_the_card_does_not_name_is_refused_before_anything_starts(scanner: Summing) -> None:
    with pytest.raises(InputError, match="takes IP and OOP, or IP, or T1; got: OOP"):
        scanner({"OOP": volume(1)})
    with pytest.raises(InputError, match="should hold slices"):
        scanner({"T1": Volume(np.zeros((0, 3, 4), np.float32), AFFINE, "1")})
    with pytest.raises(ParameterError, match="no parameter 'strength'"):
        scanner({"T1": volume(1)}, {"strength": 1})
    with pytest.raises(InputError, match="got a volume in 'HU'"):
        scanner({"IP": volume(1), "OOP": volume(1, "HU")})
    assert scanner.asked == []
