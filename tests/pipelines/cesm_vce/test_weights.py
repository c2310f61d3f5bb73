from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.contract import Pipeline, Result
from trainers.readers.cdd_cesm import read_excerpt
from trainers.simulation.drawn_breast import Iodine, draw_breast
from trainers.simulation.dual_energy import Pair, image_breast

BOUND = 0.05
"""On the card: without iodine no hundredth of the breast lies this far above its median."""

UNSEEN = range(9000, 9012)
"""Seeds of breasts that training did not draw."""


@pytest.fixture(scope="module")
def scanner() -> Pipeline:
    return load("cesm_vce", device="cpu")


def imaged(seed: int, iodine: Iodine) -> Pair:
    return image_breast(draw_breast(np.random.default_rng(seed)), iodine, 192, 120)


def translated(scanner: Pipeline, low: npt.NDArray[np.float32]) -> Result:
    return scanner({"LE": Volume(low[None], np.eye(4), "1")})


def psnr(made: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> float:
    return float(-10 * np.log10(((made - truth) ** 2).mean()))


def test_the_weights_are_those_on_the_card() -> None:
    assert catalog.verify("cesm_vce") == catalog.card("cesm_vce").weights.sha256
    assert catalog.weights_path("cesm_vce").stat().st_size < 4_000_000


def test_without_iodine_nothing_is_enhanced_beyond_the_bound(scanner: Pipeline) -> None:
    for seed in UNSEEN:
        pair = imaged(seed, Iodine.NONE)
        made = translated(scanner, pair.low_energy).volume.voxels[0][pair.breast]
        assert np.quantile(made, 0.99) - np.median(made) < BOUND, seed


def test_the_card_states_the_bound() -> None:
    assert any(f"{BOUND:g}" in limit for limit in catalog.card("cesm_vce").limitations)


def test_unseen_pairs_are_nearer_than_baselines(scanner: Pipeline) -> None:
    ours, mammogram, level = [], [], []
    for seed in UNSEEN:
        pair = imaged(seed, Iodine.CORRELATED)
        made = translated(scanner, pair.low_energy).volume.voxels[0]
        ours.append(psnr(made, pair.recombined))
        mammogram.append(psnr(pair.low_energy, pair.recombined))
        flat = np.where(pair.breast, np.float32(0.27), np.float32(0))
        level.append(psnr(flat, pair.recombined))
    assert np.mean(ours) > np.mean(mammogram) + 3
    assert np.mean(ours) > np.mean(level)


def test_dense_tissue_is_enhanced_and_fat_is_not(scanner: Pipeline) -> None:
    found = []
    for seed in UNSEEN:
        pair = imaged(seed, Iodine.CORRELATED)
        made = translated(scanner, pair.low_energy).volume.voxels[0]
        low = pair.low_energy[pair.breast]
        dark, bright = np.quantile(low, (0.3, 0.9))
        values = made[pair.breast]
        found.append(values[low > bright].mean() - values[low < dark].mean())
    assert np.mean(found) > 0.01


def test_known_kinds_of_input_are_green(scanner: Pipeline, shared_data: Path) -> None:
    for pair in read_excerpt(shared_data / "cesm_cdd"):
        assert translated(scanner, pair.low_energy).record.verdict == "GREEN"
    for seed in (9001, 9002):
        low = imaged(seed, Iodine.CORRELATED).low_energy
        assert translated(scanner, low).record.verdict == "GREEN"


def test_a_picture_of_something_else_is_not_green(scanner: Pipeline) -> None:
    random = np.random.default_rng(0)
    image = np.zeros((200, 200), np.float32)
    image[20:180, 20:180] = random.random((160, 160))
    assert translated(scanner, image).record.verdict != "GREEN"
