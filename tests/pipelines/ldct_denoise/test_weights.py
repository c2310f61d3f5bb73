"""The shipped weights on real slices: are the card, the engines and the promises true?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch

from dicom_profiles.reading import open_series, read_series
from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.contract import Pipeline
from pipelines.engines.choose import FAST_ON_CPU
from pipelines.engines.ncnn_engine import NcnnEngine
from pipelines.engines.openvino_engine import OpenVinoEngine
from pipelines.engines.torch_engine import TorchEngine
from pipelines.ldct_denoise.network import CONTEXT, DenoisingNetwork
from tests.pipelines.networks import run
from trainers.calibrate_ldct_denoise import ramp_noise

Voxels = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def scanner() -> Pipeline:
    return load("ldct_denoise", device="cpu", threads=2)


@pytest.fixture(scope="module")
def chest(shared_data: Path) -> Voxels:
    """5 slices of the middle of a chest, (slices, 256, 256) in HU."""
    paths = sorted((shared_data / "ct_chest_philips_lidc0314").glob("*.dcm"))[58:63]
    return np.ascontiguousarray(read_series(paths).voxels[:, 128:384, 128:384])


@pytest.fixture(scope="module")
def noisy(chest: Voxels) -> Voxels:
    """The chest with 40 HU of noise of the kind that filtered back-projection makes."""
    random = np.random.default_rng(0)
    return np.stack([image + ramp_noise(image.shape, 40.0, 1.0, random) for image in chest])


def denoised(scanner: Pipeline, voxels: Voxels) -> Voxels:
    return scanner({"CT": Volume(voxels, np.eye(4))}).volume.voxels


def rms(values: Voxels) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).mean()))


def test_the_weights_are_those_on_the_card() -> None:
    assert catalog.verify("ldct_denoise") == catalog.card("ldct_denoise").weights.sha256


def test_the_card_says_what_it_was_trained_on() -> None:
    card = catalog.card("ldct_denoise")
    assert card.training.trained_on_simulation
    assert card.training.trained_on
    assert card.evaluation, "figures measured on data that it was not trained on"


def test_noise_falls_and_the_truth_comes_nearer(
    scanner: Pipeline, chest: Voxels, noisy: Voxels
) -> None:
    result = scanner({"CT": Volume(noisy, np.eye(4))})
    assert rms(result.volume.voxels - chest) < 0.85 * rms(noisy - chest)
    figures = result.record.measurements
    assert figures["noise_after_hu"] < 0.6 * figures["noise_before_hu"]
    assert result.record.verdict == "GREEN", result.record.reasons


def test_a_real_series_is_green(scanner: Pipeline, shared_data: Path) -> None:
    paths = sorted((shared_data / "ct_chest_philips_lidc0314").glob("*.dcm"))[40:52]
    translation = scanner.translate({"CT": open_series(paths)})
    assert sum(1 for _ in translation.slices) == 12
    assert translation.record().verdict == "GREEN", translation.record().reasons


@pytest.mark.parametrize("padding_hu", [-1024.0, -2000.0, -3024.0, 0.0])
def test_padding_of_any_value_disturbs_nothing_but_its_rim(
    padding_hu: float, scanner: Pipeline, shared_data: Path
) -> None:
    paths = sorted((shared_data / "ct_chest_philips_lidc0314").glob("*.dcm"))[60:61]
    plain = read_series(paths).voxels
    radius = np.hypot(*np.ogrid[-1:1:512j, -1:1:512j])
    plain[:, radius > 1] = -1000.0
    padded = plain.copy()
    padded[:, radius > 1] = padding_hu
    change = np.abs(denoised(scanner, padded) - denoised(scanner, plain))
    assert change[:, radius < 0.8].max() < 0.5, "the body, 50 pixels and more from the padding"


def test_metal_and_air_survive(scanner: Pipeline, noisy: Voxels) -> None:
    voxels = noisy.copy()
    voxels[:, 120:126, 120:126] = 8000.0
    got = denoised(scanner, voxels)
    np.testing.assert_array_equal(got[:, 120:126, 120:126], 8000.0)
    air = voxels < -1600
    np.testing.assert_array_equal(got[air], voxels[air])
    assert got.min() < -950


def test_every_engine_gives_the_same_within_a_hu(noisy: Voxels) -> None:
    network = DenoisingNetwork()
    network.load_state_dict(safetensors.torch.load_file(catalog.weights_path("ldct_denoise")))
    wanted = np.stack(run(TorchEngine(network, CONTEXT), noisy))
    assert np.abs(wanted - noisy).max() > 10
    for engine in (NcnnEngine(network, CONTEXT, 2), OpenVinoEngine(network, CONTEXT, 2)):
        got = np.stack(run(engine, noisy))
        assert np.abs(got - wanted).max() < 1.0, engine.facts.name


def test_few_slices_are_denoised_as_well(scanner: Pipeline, chest: Voxels, noisy: Voxels) -> None:
    for count in (1, 2):
        got = denoised(scanner, noisy[:count])
        assert rms(got - chest[:count]) < 0.85 * rms(noisy[:count] - chest[:count])


def test_the_engine_is_proven_at_load(scanner: Pipeline) -> None:
    record = scanner({"CT": Volume(np.zeros((1, 64, 64), np.float32), np.eye(4))}).record
    assert record.engine.name in FAST_ON_CPU
    assert 0 < record.engine.largest_difference < 0.1
