"""The traffic light: what is usual, what is unusual, what is wrong; and the sentence for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from dicom_profiles.reading import read_series
from pipelines import catalog
from pipelines.errors import CardError
from pipelines.ldct_denoise.quality import (
    LIMITS,
    SAMPLED_SLICES,
    Calibration,
    Limit,
    QualityMeter,
    read_calibration,
)
from tests.pipelines.networks import phantom

Voxels = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return read_calibration(catalog.folder("ldct_denoise"))


@pytest.fixture(scope="module")
def chest(shared_data: Path) -> Voxels:
    """20 slices of a chest, (slices, rows, columns) in HU."""
    paths = sorted((shared_data / "ct_chest_philips_lidc0314").glob("*.dcm"))[50:70]
    return read_series(paths).voxels


def measured(calibration: Calibration, before: Voxels, after: Voxels) -> QualityMeter:
    meter = QualityMeter(len(before), calibration)
    for was, became in zip(before, after, strict=True):
        meter.add(was, became)
    return meter


def test_a_chest_is_green(calibration: Calibration, chest: Voxels) -> None:
    noise = np.random.default_rng(0).normal(0, 30, chest.shape).astype(np.float32)
    meter = measured(calibration, chest + noise, chest)
    assert meter.verdict() == ("GREEN", ())
    figures = meter.measurements()
    assert figures["noise_before_hu"] > figures["noise_after_hu"] > 5
    assert abs(figures["shift_soft_hu"]) < 2
    assert figures["edges_kept"] > 0.95
    assert set(LIMITS) <= set(figures), "a limit of no figure is none"
    assert set(figures) == set(catalog.card("ldct_denoise").measurements), "each is explained"
    known = calibration.known
    assert figures["amber_input_distance"] == pytest.approx(known.amber, abs=1e-4)
    assert figures["red_input_distance"] == pytest.approx(known.red, abs=1e-4)


GARBAGE: dict[str, Callable[[Voxels], Voxels]] = {
    "noise": lambda v: np.random.default_rng(0).normal(0, 300, v.shape).astype(np.float32),
    "weak noise": lambda v: np.random.default_rng(0).normal(40, 20, v.shape).astype(np.float32),
    "stored values without rescale": lambda v: v + 1000,
    "values of MR": lambda v: np.maximum((v + 1000) * 0.4, 0),
    "inverted": lambda v: -v,
    "nothing": lambda v: np.zeros_like(v),
    "only air": lambda v: np.full_like(v, -1000),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_red(kind: str, calibration: Calibration, chest: Voxels) -> None:
    garbage = GARBAGE[kind](chest)
    light, reasons = measured(calibration, garbage, garbage).verdict()
    assert light == "RED"
    assert reasons[0].startswith(("The images are unlike", "Neighbouring slices"))


def test_shuffled_slices_are_not_green(calibration: Calibration, shared_data: Path) -> None:
    paths = sorted((shared_data / "ct_chest_philips_lidc0314").glob("*.dcm"))[::4]
    whole = read_series(paths).voxels
    mixed = whole[np.random.default_rng(0).permutation(len(whole))]
    assert measured(calibration, mixed, mixed).verdict()[0] != "GREEN"


def shifted(voxels: Voxels) -> Voxels:
    return voxels + 25


def one_slice_shifted(voxels: Voxels) -> Voxels:
    after = voxels.copy()
    after[7] += 80
    return after


def blurred(voxels: Voxels) -> Voxels:
    return np.stack([gaussian_filter(image, 4) for image in voxels])


def noisier(voxels: Voxels) -> Voxels:
    return voxels + np.random.default_rng(1).normal(0, 60, voxels.shape).astype(np.float32)


def broken(voxels: Voxels) -> Voxels:
    after = voxels.copy()
    after[3, 100, 100] = np.nan
    return after


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (shifted, "The values of soft tissue moved by +25.0 HU."),
        (one_slice_shifted, "The values of one slice moved by 80.0 HU."),
        (one_slice_shifted, "Neighbouring slices were changed differently, by 80.0 HU."),
        (blurred, "Edges lost contrast"),
        (noisier, "The noise did not fall"),
        (broken, "The result holds values that are no numbers."),
    ],
)
def test_a_harmful_translation_is_named(
    harm: Callable[[Voxels], Voxels], sentence: str, calibration: Calibration, chest: Voxels
) -> None:
    light, reasons = measured(calibration, chest, harm(chest)).verdict()
    assert light == "RED"
    assert any(reason.startswith(sentence) for reason in reasons), reasons


def test_the_worst_reason_leads(calibration: Calibration, chest: Voxels) -> None:
    meter = measured(calibration, chest, chest + 8)
    assert meter.verdict()[0] == "AMBER"
    meter.add(chest[0], broken(chest)[3])
    assert meter.verdict()[1][0] == "The result holds values that are no numbers."


def test_a_phantom_and_few_slices_are_not_red(calibration: Calibration) -> None:
    for slices in (1, 2, 3, 12):
        images = phantom(slices, 64, 64)
        assert measured(calibration, images, images).verdict()[0] != "RED", slices


def test_padding_does_not_count(calibration: Calibration, chest: Voxels) -> None:
    rows, columns = np.ogrid[-1:1:512j, -1:1:512j]
    outside = rows**2 + columns**2 > 1
    padded = chest.copy()
    padded[:, outside] = -2000
    plain = chest.copy()
    plain[:, outside] = -1000
    first = measured(calibration, padded, padded).measurements()
    second = measured(calibration, plain, plain).measurements()
    assert first["noise_before_hu"] == pytest.approx(second["noise_before_hu"], rel=0.05)


@pytest.mark.parametrize("slices", [1, 2, 31, 32, 33, 400])
def test_samples_are_spread_over_the_series(slices: int, calibration: Calibration) -> None:
    meter = QualityMeter(slices, calibration)
    sampled = sorted(meter._sampled)
    assert len(sampled) <= SAMPLED_SLICES
    assert sampled[-1] == slices - 1
    assert slices == 1 or 0 not in sampled


def test_a_slice_that_moved_is_seen_wherever_it_lies(calibration: Calibration) -> None:
    """Between the slices that are looked at closely too."""
    images = phantom(3 * SAMPLED_SLICES // 2, 64, 64)
    for moved in range(20, 30):
        meter = QualityMeter(len(images), calibration)
        for index, image in enumerate(images):
            meter.add(image, image + np.float32(80 if index == moved else 0))
        assert meter.measurements()["largest_slice_shift_hu"] == pytest.approx(80, abs=1), moved


def test_a_sampled_slice_is_held_against_its_own_neighbour(calibration: Calibration) -> None:
    """Of a series of which not every slice is looked at closely."""
    images = np.random.default_rng(0).normal(40, 20, (4 * SAMPLED_SLICES, 32, 32))
    images = images.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)
    meter = QualityMeter(len(images), calibration)
    for place in meter._sampled:
        images[place - 1] = images[place]
    for image in images:
        meter.add(image, image)
    assert meter.measurements()["neighbour_likeness"] == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize(
    ("limit", "lights"),
    [
        (Limit(5, 20, "{}"), {5.0: "GREEN", -5.1: "AMBER", 20: "AMBER", -20.1: "RED", -1: "GREEN"}),
        (Limit(0.8, 0.6, "{}", low=True), {0.8: "GREEN", 0.79: "AMBER", 0.6: "AMBER", 0.5: "RED"}),
    ],
)
def test_a_figure_at_its_limit_is_still_within_it(limit: Limit, lights: dict[float, str]) -> None:
    assert {figure: limit.light(figure) for figure in lights} == lights


def test_every_limit_has_a_sentence_that_takes_its_figure() -> None:
    for name, limit in LIMITS.items():
        assert limit.sentence.format(1.0).endswith("."), name
        assert (limit.amber > limit.red) is limit.low


def test_a_calibration_for_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot be read"):
        read_calibration(tmp_path)
    (tmp_path / "calibration.json").write_text('{"features": ["colour"]}')
    with pytest.raises(CardError, match="got colour; make it again"):
        read_calibration(tmp_path)
