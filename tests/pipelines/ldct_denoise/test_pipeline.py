"""The pipeline with a small network: flow, memory, refusals. The real weights: test_weights.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_profiles.reading import open_series
from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.contract import Slice, VolumeSource
from pipelines.engines.choose import FAST_ON_CPU
from pipelines.engines.engine import Batch, Slab
from pipelines.engines.ncnn_engine import NcnnEngine
from pipelines.engines.torch_engine import TorchEngine
from pipelines.errors import InputError, ParameterError, RecordNotReady
from pipelines.ldct_denoise.pipeline import LowDoseCtDenoising
from pipelines.ldct_denoise.quality import read_calibration
from tests.pipelines.networks import phantom, small_network
from tests.synthetic import write_ct_series

AFFINE = np.array([[0, 0, 0.9, -30], [0, 0.9, 0, -30], [3.0, 0, 0, 0], [0, 0, 0, 1]], float)


@pytest.fixture(scope="module")
def scanner() -> LowDoseCtDenoising:
    card, folder = catalog.card("ldct_denoise"), catalog.folder("ldct_denoise")
    return LowDoseCtDenoising(card, NcnnEngine(small_network(), 1), read_calibration(folder))


def volume(voxels: npt.NDArray[np.float32], unit: str = "HU") -> Volume:
    return Volume(voxels, AFFINE, unit, "1.2.3")


@dataclass
class Stream:
    """A source that makes its slices when asked, and counts."""

    count: int
    size: int = 64
    given: int = 0
    affine: npt.NDArray[np.float64] = field(default_factory=lambda: AFFINE)
    frame_of_reference: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.count, self.size, self.size

    def slices(self) -> Iterator[Slice]:
        image = phantom(1, self.size, self.size)[0]
        for _ in range(self.count):
            self.given += 1
            yield image + np.float32(0)


def test_the_result_lies_on_the_grid_of_the_input(scanner: LowDoseCtDenoising) -> None:
    result = scanner({"CT": volume(phantom(5))})
    np.testing.assert_array_equal(result.volume.affine, AFFINE)
    assert result.volume.voxels.shape == (5, 66, 74)
    assert result.volume.voxels.dtype == np.float32
    assert (result.volume.unit, result.volume.frame_of_reference) == ("HU", "1.2.3")
    assert result.record.slices == 5


def test_streaming_gives_what_memory_gives(scanner: LowDoseCtDenoising, tmp_path: Path) -> None:
    series = open_series(write_ct_series(tmp_path, slices=9, padding_value=-2000))
    streamed = scanner.translate({"CT": series})
    slices = np.stack(list(streamed.slices))
    result = scanner({"CT": series.load()})
    np.testing.assert_array_equal(slices, result.volume.voxels)
    assert streamed.record() == result.record


def test_it_is_the_networks_result(scanner: LowDoseCtDenoising) -> None:
    voxels = phantom(6)
    reference = LowDoseCtDenoising(
        scanner.card, TorchEngine(small_network(), 1), scanner.calibration
    )
    wanted = reference({"CT": volume(voxels)}).volume.voxels
    got = scanner({"CT": volume(voxels)}).volume.voxels
    np.testing.assert_allclose(got, wanted, atol=0.1)
    assert np.abs(got - voxels).mean() > 5


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(slices=st.integers(1, 5), rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_any_size_is_translated(
    scanner: LowDoseCtDenoising, slices: int, rows: int, columns: int
) -> None:
    voxels = phantom(slices, rows, columns)
    result = scanner({"CT": volume(voxels)})
    assert result.volume.voxels.shape == voxels.shape
    assert np.isfinite(result.volume.voxels).all()
    json.dumps(result.record.to_json(), allow_nan=False)


def test_strength_0_gives_the_input_and_a_half_lies_between(scanner: LowDoseCtDenoising) -> None:
    voxels = phantom(4)
    none, half, whole = (
        scanner({"CT": volume(voxels)}, {"strength": s}).volume.voxels for s in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(none, voxels)
    np.testing.assert_allclose(half, (voxels + whole) / 2, atol=0.01)


def test_near_the_usual_dose_less_is_removed(scanner: LowDoseCtDenoising) -> None:
    voxels = phantom(4)
    whole, quarter, half, usual = (
        scanner({"CT": volume(voxels)}, {"dose_share": share}).volume.voxels
        for share in (0, 0.25, 0.5, 1)
    )
    np.testing.assert_array_equal(quarter, whole)
    np.testing.assert_allclose(half, voxels + 0.7 * (whole - voxels), atol=0.01)
    np.testing.assert_array_equal(usual, voxels)


def test_metal_and_padding_pass_unchanged(scanner: LowDoseCtDenoising) -> None:
    voxels = phantom(3)
    voxels[:, 10:14, 10:14] = 20000.0
    voxels[:, 30:34, 30:34] = -3024.0
    got = scanner({"CT": volume(voxels)}).volume.voxels
    np.testing.assert_array_equal(got[:, 10:14, 10:14], 20000.0)
    np.testing.assert_array_equal(got[:, 30:34, 30:34], -3024.0)


def test_a_repeat_gives_the_same_bytes(scanner: LowDoseCtDenoising) -> None:
    first = scanner({"CT": volume(phantom(6))})
    second = scanner({"CT": volume(phantom(6))})
    assert first.volume.voxels.tobytes() == second.volume.voxels.tobytes()
    assert first.record == second.record


def test_the_record_comes_after_the_last_slice(scanner: LowDoseCtDenoising) -> None:
    translation = scanner.translate({"CT": VolumeSource(volume(phantom(3)))})
    with pytest.raises(RecordNotReady):
        translation.record()
    for _ in range(2):
        next(translation.slices)
    with pytest.raises(RecordNotReady):
        translation.record()
    assert len(list(translation.slices)) == 1
    record = translation.record().to_json()
    assert record["verdict"] in {"GREEN", "AMBER", "RED"}
    assert record["parameters"] == {"strength": 1.0, "dose_share": 0.0}
    assert record["engine"]["name"] in FAST_ON_CPU
    assert len(record["model"]["weights_sha256"]) == 64


def test_progress_is_told_after_every_slice(scanner: LowDoseCtDenoising) -> None:
    told: list[tuple[int, int]] = []
    source = {"CT": VolumeSource(volume(phantom(4)))}
    list(scanner.translate(source, progress=lambda *at: told.append(at)).slices)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_work_waits_for_the_slices_to_be_taken(scanner: LowDoseCtDenoising) -> None:
    stream = Stream(500)
    translation = scanner.translate({"CT": stream})
    assert stream.given == 0
    next(translation.slices)
    assert stream.given < 40


@pytest.mark.parametrize(("size", "slices"), [(64, 8), (512, 8), (1024, 2), (1536, 1)])
def test_a_batch_holds_fewer_of_larger_slices(
    scanner: LowDoseCtDenoising, size: int, slices: int
) -> None:
    class Copying:
        facts, batch = scanner.engine.facts, 8

        def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
            for slab in slabs:
                taken.append(len(slab) - 2)  # without its neighbours
                yield slab[1:-1]

    taken: list[int] = []
    copying = LowDoseCtDenoising(scanner.card, Copying(), scanner.calibration)
    next(copying.translate({"CT": Stream(20, size)}).slices)
    assert taken == [slices]


def test_stopping_early_leaves_no_thread(scanner: LowDoseCtDenoising) -> None:
    before = threading.active_count()
    translation = scanner.translate({"CT": Stream(500)})
    next(translation.slices)
    translation.slices.close()
    assert threading.active_count() == before


def test_memory_does_not_grow_with_the_series(scanner: LowDoseCtDenoising) -> None:
    for _ in scanner.translate({"CT": Stream(30, 256)}).slices:
        pass
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in scanner.translate({"CT": Stream(240, 256)}).slices:
        pass
    grown = process.memory_info().rss - before
    assert grown < 25e6, "240 slices of 256 x 256 are 63 MB"


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "takes CT; got: nothing"),
        ({"MR": volume(phantom(3))}, "takes CT; got: MR"),
        ({"CT": volume(phantom(3)), "T1": volume(phantom(3))}, "got: CT, T1"),
        ({"CT": volume(phantom(3), "SUVbw")}, "should be in HU, got a volume in 'SUVbw'"),
        ({"CT": volume(phantom(3)[:0])}, "should hold slices"),
        ({"CT": volume(phantom(3) * np.float32(np.nan))}, "Slice 1 of 3 holds values that are no"),
    ],
)
def test_wrong_inputs_are_one_clear_sentence(
    inputs: dict[str, Volume], sentence: str, scanner: LowDoseCtDenoising
) -> None:
    with pytest.raises(InputError, match=sentence):
        scanner(inputs)


def test_a_source_that_breaks_its_word_is_refused(scanner: LowDoseCtDenoising) -> None:
    class Short(Stream):
        def slices(self) -> Iterator[Slice]:
            return iter(phantom(2, 64, 64))

    class Odd(Stream):
        def slices(self) -> Iterator[Slice]:
            return iter(phantom(4, 64, 65))

    with pytest.raises(InputError, match="should give 4 slices, got 2"):
        list(scanner.translate({"CT": Short(4)}).slices)
    with pytest.raises(InputError, match="should be 64 x 64"):
        list(scanner.translate({"CT": Odd(4)}).slices)


def test_wrong_parameters_are_refused_at_once(scanner: LowDoseCtDenoising) -> None:
    with pytest.raises(ParameterError, match="from 0 to 1"):
        scanner.translate({"CT": Stream(3)}, {"strength": 2})
