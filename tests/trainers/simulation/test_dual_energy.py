from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from trainers.simulation.drawn_breast import REFERENCE_CM, Breast, Iodine, Mass, draw_breast
from trainers.simulation.dual_energy import (
    GREY_PER_MG,
    TABLES,
    Pair,
    _log_signal,
    _recombine,
    image_breast,
    recombination_weight,
)


def drawn(seed: int = 3) -> Breast:
    mass = Mass((0.2, 0.0), 0.04, 1.0, 1.5, 7)
    breast = draw_breast(np.random.default_rng(seed))
    return replace(breast, masses=(mass,), shading=0.0, plain=0.22, view="CC", depth=0.4)


def imaged(iodine: Iodine, noise: bool = False) -> Pair:
    return image_breast(drawn(), iodine, 128, 80, noise=noise)


def test_the_same_breast_gives_the_same_pair() -> None:
    first, again = imaged(Iodine.CORRELATED, noise=True), imaged(Iodine.CORRELATED, noise=True)
    np.testing.assert_array_equal(first.recombined, again.recombined)
    assert drawn() == drawn()


def test_tissue_alone_cancels_and_iodine_does_not() -> None:
    thickness = np.full(3, REFERENCE_CM)
    glandular = np.array([0.0, REFERENCE_CM, 0.0])
    iodine = np.array([0.0, 0.0, 1.0])
    low, high = (_log_signal(name, thickness, glandular, iodine) for name in ("low", "high"))
    fat, gland, enhanced = _recombine(low, high)
    assert gland == pytest.approx(fat, abs=1e-9)
    assert enhanced > fat + 0.01
    assert 0.1 < recombination_weight() < 0.5


def test_without_iodine_nothing_is_enhanced() -> None:
    pair = imaged(Iodine.NONE)
    assert not pair.iodine.any()
    assert not pair.enhancement.any()
    assert not pair.lesions.any()
    middle = pair.recombined[pair.breast]
    assert np.abs(middle - 0.22).mean() < 0.05


def test_the_known_iodine_is_what_is_seen() -> None:
    pair = imaged(Iodine.CORRELATED)
    without = imaged(Iodine.NONE)
    np.testing.assert_allclose(
        (pair.recombined - without.recombined)[pair.breast], pair.enhancement[pair.breast],
        atol=0.02,
    )  # fmt: skip
    lesion = pair.lesions & (pair.iodine > 1.0)
    per_mg = (pair.enhancement / np.maximum(pair.iodine, 1e-6))[lesion]
    assert per_mg.mean() == pytest.approx(GREY_PER_MG, rel=0.25)
    # iodine is dark at low energy as well, a little
    assert (without.low_energy - pair.low_energy)[lesion].mean() < 0.02


def correlation(iodine: Iodine) -> float:
    found = []
    for seed in range(12):
        pair = image_breast(draw_breast(np.random.default_rng(seed)), iodine, 96, 60, noise=False)
        inside = pair.breast
        if pair.iodine[inside].std() > 0:
            found.append(np.corrcoef(pair.low_energy[inside], pair.iodine[inside])[0, 1])
    return float(np.mean(found))


def test_only_correlated_iodine_can_be_told_from_the_low_energy_image() -> None:
    assert correlation(Iodine.CORRELATED) > 0.5
    assert abs(correlation(Iodine.INDEPENDENT)) < 0.25


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_sides_mirror_each_other(view: str) -> None:
    left = replace(drawn(), side="L", view=view)
    pairs = [image_breast(replace(left, side=s), Iodine.CORRELATED, 96, 60) for s in ("L", "R")]
    np.testing.assert_array_equal(pairs[0].low_energy, pairs[1].low_energy[:, ::-1])
    assert pairs[0].breast[:, 0].mean() > pairs[0].breast[:, -1].mean()


def test_air_is_black_and_values_are_display_values() -> None:
    pair = imaged(Iodine.CORRELATED, noise=True)
    for image in (pair.low_energy, pair.recombined):
        assert not image[~pair.breast].any()
        assert image.min() >= 0
        assert image.max() <= 1
        assert image.dtype == np.float32


def test_coarser_pixels_have_less_noise() -> None:
    def grain(rows: int) -> float:
        breast = replace(drawn(), masses=(), uptake=0.0)
        pairs = [image_breast(breast, Iodine.NONE, rows, rows // 2, noise=n) for n in (True, False)]
        inside = pairs[0].breast
        return float((pairs[0].recombined - pairs[1].recombined)[inside].std())

    assert grain(64) < 0.7 * grain(128)


def test_the_tables_are_spectra_and_attenuation() -> None:
    tables = json.loads(TABLES.read_text())
    energies = np.array(tables["energies_kev"])
    for name in ("low_spectrum", "high_spectrum"):
        assert sum(tables[name]) == pytest.approx(1, abs=1e-3)
    mean = {n: float(np.dot(energies, tables[f"{n}_spectrum"])) for n in ("low", "high")}
    assert 17 < mean["low"] < 20
    assert 34 < mean["high"] < 40
    iodine = dict(zip(energies, tables["iodine_cm2_per_g"], strict=True))
    assert iodine[34.0] > 4 * iodine[33.0]  # the K edge at 33.17 keV
    assert np.all(np.array(tables["glandular_per_cm"]) > np.array(tables["adipose_per_cm"]))
