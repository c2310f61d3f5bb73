from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.reading import open_series
from dicom_profiles.volume import Volume
from pipelines import load
from pipelines.contract import EngineFacts, VolumeSource
from pipelines.engines.engine import Batch, Engine, Slab
from pipelines.errors import InputError, RecordNotReady
from pipelines.mr_to_ct.pipeline import FALLBACK, MrToCt
from tests.dual_echo import write_dual_echo
from tests.trainers.simulation.test_dual_echo import disc
from trainers.readers.mr_ct import MrCtSeries
from trainers.simulation.dual_echo import simulate_dual_echo


@pytest.fixture(scope="module")
def scanner() -> MrToCt:
    loaded = load("mr_to_ct", device="cpu", threads=1)
    assert isinstance(loaded, MrToCt)
    return loaded


@pytest.fixture(scope="module")
def phases() -> dict[str, Volume]:
    """A round body of soft tissue within a rim of fat, as a dual echo shows it."""
    ct = disc(40.0, 96)
    ct[disc(1.0, 96) > 0] = -105.0
    down, across = np.mgrid[0:96, 0:96]
    ct[:, (down - 48) ** 2 + (across - 48) ** 2 < 24**2] = 40.0
    series = simulate_dual_echo(MrCtSeries("p", {}, np.repeat(ct[:1], 4, axis=0), 1.5, 5.0), 3)
    affine = np.diag((5.0, 1.5, 1.5, 1.0))[[2, 1, 0, 3]]
    return {key: Volume(image, affine, "1", "1.2.3") for key, image in series.mr.items()}


def test_soft_tissue_fat_and_air_are_told_apart(scanner: MrToCt, phases: dict[str, Volume]) -> None:
    result = scanner(phases)
    voxels = result.volume.voxels
    assert (result.volume.unit, voxels.shape) == ("HU", phases["IP"].voxels.shape)
    np.testing.assert_array_equal(result.volume.affine, phases["IP"].affine)
    soft, fat, air = voxels[:, 40:56, 40:56], voxels[:, 46:50, 18:22], voxels[:, :8, :8]
    assert air.mean() < -700
    assert fat.mean() < soft.mean() - 60
    assert -60 < soft.mean() < 140
    assert result.record.model["network"] == "in_n_out"


def test_one_phase_alone_works_and_says_so(scanner: MrToCt, phases: dict[str, Volume]) -> None:
    record = scanner({"IP": phases["IP"]}).record
    assert record.model["network"] == "in_phase"
    assert FALLBACK in record.reasons
    assert record.verdict in ("AMBER", "RED")


def test_a_t1_series_has_a_model_of_its_own(scanner: MrToCt, phases: dict[str, Volume]) -> None:
    result = scanner({"T1": phases["IP"]})
    assert result.record.model["network"] == "t1"
    assert FALLBACK not in result.record.reasons
    assert np.isfinite(result.volume.voxels).all()


def test_the_unit_of_the_intensities_does_not_matter(
    scanner: MrToCt, phases: dict[str, Volume]
) -> None:
    louder = {key: replace(v, voxels=v.voxels * np.float32(7.0)) for key, v in phases.items()}
    plain, loud = scanner(phases).volume.voxels, scanner(louder).volume.voxels
    np.testing.assert_allclose(loud, plain, atol=1.0)


@pytest.mark.parametrize("pixel_mm", [0.75, 3.0])
def test_other_pixels_come_back_on_their_own_grid(
    scanner: MrToCt, phases: dict[str, Volume], pixel_mm: float
) -> None:
    affine = np.diag((5.0, pixel_mm, pixel_mm, 1.0))[[2, 1, 0, 3]]
    other = {key: replace(volume, affine=affine) for key, volume in phases.items()}
    assert scanner(other).volume.voxels.shape == phases["IP"].voxels.shape


def test_a_repeat_gives_the_same(scanner: MrToCt, phases: dict[str, Volume]) -> None:
    first, again = scanner(phases), scanner(phases)
    np.testing.assert_array_equal(first.volume.voxels, again.volume.voxels)
    assert first.record == again.record


def mirrored(voxels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(voxels[::-1, :, ::-1])


@pytest.mark.parametrize("keys", [("IP", "OOP"), ("T1",)])
def test_two_answers_make_a_mirrored_patient_a_mirrored_ct(
    scanner: MrToCt, phases: dict[str, Volume], keys: tuple[str, ...]
) -> None:
    inputs = {key: phases.get(key, phases["IP"]) for key in keys}
    other = {key: replace(v, voxels=mirrored(v.voxels)) for key, v in inputs.items()}
    twice, back = scanner(inputs), mirrored(scanner(other).volume.voxels)
    apart = np.abs(twice.volume.voxels - back).mean()
    once, back = (scanner(one, {"answers": 1}).volume.voxels for one in (inputs, other))
    # intensities are sampled from the left, so the scale is not quite the same
    assert apart < 0.4 * np.abs(once - mirrored(back)).mean()
    both = (once + mirrored(back)) / 2
    assert np.abs(twice.volume.voxels - both).mean() <= apart
    assert twice.record.parameters == {"answers": 2, "outline_mm": 20, "blank_is_air": 0}


@dataclass
class Listening:
    """An engine that notes what it is asked, a slice at a time."""

    engine: Engine
    facts: EngineFacts
    batch: int = 1
    asked: list[Slab] = field(default_factory=list)

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        def heard() -> Iterator[Slab]:
            for slab in slabs:
                self.asked.append(slab)
                yield slab

        yield from self.engine.run(heard())


def test_one_answer_is_held_against_a_second_on_four_slices_evenly_spread(
    scanner: MrToCt, phases: dict[str, Volume]
) -> None:
    model = scanner.models["T1",]
    engine = Listening(model.engine, model.engine.facts)
    listened = replace(scanner, models={("T1",): replace(model, engine=engine)})
    voxels = phases["IP"].voxels[np.arange(12) % 4] * np.linspace(0.9, 1, 12)[:, None, None]
    listened({"T1": replace(phases["IP"], voxels=voxels.astype(np.float32))}, {"answers": 1})
    once, again = 0, []
    for before, slab in pairwise(engine.asked):
        if np.array_equal(slab[::-1, :, ::-1], before):
            again.append(once)
        else:
            once += 1
    assert (once, again) == (10, [0, 3, 7, 10])  # the last slab holds the last two slices


def test_the_outline_may_be_the_one_of_the_mr(scanner: MrToCt, phases: dict[str, Volume]) -> None:
    t1 = {"T1": phases["IP"]}
    free, exact = (scanner(t1, {"outline_mm": reach}).volume.voxels for reach in (100.0, 0.0))
    body = phases["IP"].voxels > 0.3 * phases["IP"].voxels.max()
    np.testing.assert_array_equal(exact[body], free[body])
    np.testing.assert_allclose(exact[:, :10], -1000.0, atol=0.01)
    assert (np.abs(exact - free) > 100.0).any()
    assert (exact <= np.maximum(free, -1000.0) + 0.01).all()  # nothing but air was put in


def test_air_that_the_scanner_blanked_out_is_air_where_one_says_so(
    scanner: MrToCt, phases: dict[str, Volume]
) -> None:
    voxels = phases["IP"].voxels.copy()
    voxels[voxels < 0.2 * voxels.max()] = 0
    blank = {"T1": replace(phases["IP"], voxels=voxels)}
    guessed, told = scanner(blank), scanner(blank, {"blank_is_air": 1})
    assert "blank_is_air" in " ".join(guessed.record.reasons)
    assert "blank_is_air" not in " ".join(told.record.reasons)
    np.testing.assert_allclose(told.volume.voxels[:, :6], -1000.0, atol=0.01)


def test_an_empty_slice_is_told_by_its_neighbour(
    scanner: MrToCt, phases: dict[str, Volume]
) -> None:
    voxels = phases["IP"].voxels.copy()
    voxels[-1] = 0
    made = scanner({"T1": replace(phases["IP"], voxels=voxels)}).volume.voxels
    assert np.abs(made[-1] - made[-2]).mean() < 30


def test_the_record_is_there_after_the_last_slice(
    scanner: MrToCt, phases: dict[str, Volume]
) -> None:
    done: list[tuple[int, int]] = []
    translation = scanner.translate(
        {"T1": VolumeSource(phases["IP"])}, progress=lambda *at: done.append(at)
    )
    for _ in range(3):  # of four: what the last one shows counts as well
        next(translation.slices)
    with pytest.raises(RecordNotReady):
        translation.record()
    list(translation.slices)
    record = translation.record()
    assert done[-1] == (4, 4)
    assert record.slices == 4
    assert {"outlines_agree", "unsureness_hu", "amber_input_distance"} <= set(record.measurements)
    assert set(record.to_json()["model"]) >= {"network", "weights_sha256", "calibration_sha256"}


def test_dicom_and_volume_give_the_same(scanner: MrToCt, tmp_path: Path) -> None:
    paths = write_dual_echo(tmp_path, slices=4, size=64)
    sources = {key: open_series(paths[key]) for key in ("IP", "OOP")}
    slices = np.stack(list(scanner.translate(sources).slices))
    volumes = {key: source.load() for key, source in sources.items()}
    np.testing.assert_array_equal(slices, scanner(volumes).volume.voxels)


def volume(voxels: npt.NDArray[np.float32], unit: str = "1") -> Volume:
    return Volume(voxels, np.eye(4), unit)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"OOP": volume(np.ones((3, 64, 64), np.float32))}, "takes .*got: OOP"),
        ({"T1": volume(np.ones((3, 64, 64), np.float32), "HU")}, "no unit"),
        ({"T1": volume(np.zeros((3, 64, 64), np.float32))}, "empty"),
        ({"T1": volume(np.full((3, 64, 64), np.nan, np.float32))}, "no numbers"),
        ({"T1": volume(np.ones((0, 64, 64), np.float32))}, "should hold slices"),
        (
            {
                "IP": volume(np.ones((3, 64, 64), np.float32)),
                "OOP": volume(np.ones((3, 64, 60), np.float32)),
            },
            "one shape",
        ),
        (
            {
                "IP": volume(np.ones((3, 64, 64), np.float32)),
                "OOP": Volume(np.ones((3, 64, 64), np.float32), np.diag([2.0, 1, 1, 1]), "1"),
            },
            "one grid",
        ),
    ],
)
def test_wrong_inputs_are_refused(
    scanner: MrToCt, inputs: dict[str, Volume], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        scanner(inputs)
