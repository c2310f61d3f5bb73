from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from dicom_profiles.reading import open_source
from dicom_profiles.volume import Volume
from pipelines import load
from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.pipeline import GENERATOR, VirtualContrast, network_of
from pipelines.contract import Pipeline
from pipelines.errors import InputError, ParameterError, RecordNotReady, WeightsError
from tests.mammograms import breast, write_mammogram


@pytest.fixture(scope="module")
def scanner() -> Pipeline:
    return load("cesm_vce", device="cpu")


def volume(rows: int = 300, columns: int = 180, side: str = "L", unit: str = "1") -> Volume:
    return Volume(breast(rows, columns, side)[None], np.diag([1.0, 0.5, 0.5, 1.0]), unit)


@pytest.mark.parametrize("shape", [(300, 180), (901, 555), (200, 320)])
def test_the_output_has_the_matrix_of_the_mammogram(
    scanner: Pipeline, shape: tuple[int, int]
) -> None:
    source = volume(*shape)
    result = scanner({"LE": source})
    assert result.volume.voxels.shape == (1, *shape)
    assert result.volume.unit == "1"
    np.testing.assert_array_equal(result.volume.affine, source.affine)
    assert result.volume.voxels.min() >= 0
    assert result.volume.voxels.max() <= 1
    assert not result.volume.voxels[source.voxels == 0].any()


def test_left_and_right_are_treated_alike(scanner: Pipeline) -> None:
    left = scanner({"LE": volume()}).volume.voxels
    right = scanner({"LE": volume(side="R")}).volume.voxels
    different = np.abs(right[:, :, ::-1] - left)[(left > 0) & (right[:, :, ::-1] > 0)]
    assert different.max() < 0.02
    assert different.mean() < 2e-3


def test_a_repeat_is_the_same(scanner: Pipeline) -> None:
    first, again = (scanner({"LE": volume()}) for _ in range(2))
    np.testing.assert_array_equal(first.volume.voxels, again.volume.voxels)
    assert first.record == again.record


def test_a_file_is_translated_as_the_volume_is(scanner: Pipeline, tmp_path: Path) -> None:
    source = open_source([write_mammogram(tmp_path / "le.dcm")])
    steps: list[tuple[int, int]] = []
    translation = scanner.translate(
        {"LE": source}, progress=lambda done, total: steps.append((done, total))
    )
    with pytest.raises(RecordNotReady):
        translation.record()
    (image,) = translation.slices
    assert image.shape == source.shape[1:]
    assert steps == [(1, 1)]
    record = translation.record()
    assert record.slices == 1
    assert record.verdict in ("GREEN", "AMBER", "RED")
    assert record.model["name"] == "cesm_vce"
    assert record.engine.largest_difference < 1e-3
    assert translation.companions() == {}
    # 12-bit grey values instead of 0..1 change nothing but rounding
    of_volume = scanner({"LE": volume()}).volume.voxels[0]
    assert np.abs(image - of_volume).mean() < 0.01


def test_several_images_are_mammograms_of_their_own(scanner: Pipeline) -> None:
    both = Volume(np.concatenate([breast()[None], breast(side="R")[None]]), np.eye(4), "1")
    result = scanner({"LE": both})
    alone = scanner({"LE": volume(side="R")})
    np.testing.assert_allclose(result.volume.voxels[1], alone.volume.voxels[0], atol=1e-6)
    assert result.record.slices == 2


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "got: nothing"),
        ({"CT": volume()}, "got: CT"),
        ({"LE": volume(), "HE": volume()}, "got: HE, LE"),
        ({"LE": volume(unit="HU")}, "HU"),
        ({"LE": Volume(np.full((1, 30, 30), np.nan, np.float32), np.eye(4), "1")}, "no numbers"),
        ({"LE": Volume(np.zeros((1, 64, 64), np.float32), np.eye(4), "1")}, "even"),
    ],
)
def test_wrong_inputs_are_refused(scanner: Pipeline, inputs: dict[str, Volume], words: str) -> None:
    with pytest.raises(InputError, match=words):
        scanner(inputs)


def test_there_are_no_parameters(scanner: Pipeline) -> None:
    with pytest.raises(ParameterError, match="no parameter"):
        scanner({"LE": volume()}, {"strength": 1.0})


def test_a_network_of_the_papers_is_served_too(scanner: Pipeline) -> None:
    assert isinstance(scanner, VirtualContrast)
    wanted = build("autoencoder").eval()
    served = network_of(save(wanted.state_dict(), {GENERATOR: "autoencoder"})).eval()
    seen = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(served(seen), wanted(seen))


@pytest.mark.parametrize("metadata", [None, {GENERATOR: "diffusion"}, {GENERATOR: "autoencoder"}])
def test_weights_that_do_not_fit_are_refused(metadata: dict[str, str] | None) -> None:
    weights = save(build("folded_unet").state_dict(), metadata)
    with pytest.raises(WeightsError, match="do not fit"):
        network_of(weights)
