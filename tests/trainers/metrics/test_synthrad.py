from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trainers.metrics.measurement import CT_RANGE, Floats, Mask, MetricError
from trainers.metrics.synthrad import ms_ssim, synthrad_scores


def phantom(shape: tuple[int, int, int], seed: int) -> tuple[Floats, Floats, Mask]:
    """A body with bone in HU, and a noisy, flattened copy."""
    source = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij")
    body: npt.NDArray[np.bool_] = (y / 0.9) ** 2 + (x / 0.8) ** 2 < 1
    real = np.where(body, 40 + 200 * np.sin(5 * x + 3 * z) * np.cos(4 * y), -1000.0)
    real[np.abs(y - 0.4) + np.abs(x) + np.abs(z) < 0.3] = 1200
    synthetic = real + 60 * source.standard_normal(shape)
    return real, np.where(body, 0.9 * synthetic + 20, synthetic), Mask("body", body)


@pytest.mark.parametrize(
    ("shape", "seed", "wanted"),
    [  # from a separate transcription of the challenge's formulas, FFT convolution and all
        ((20, 40, 44), 1, (45.301968459483476, 37.128654508867854, 0.993810847548985)),
        ((101, 98, 30), 2, (46.13556494762897, 36.99102086649886, 0.9948497815707674)),
    ],
)
def test_scores_are_those_of_the_challenge(
    shape: tuple[int, int, int], seed: int, wanted: tuple[float, float, float]
) -> None:
    found = synthrad_scores(*phantom(shape, seed))
    assert list(found) == ["MAE", "PSNR", "MS-SSIM"]
    assert [found[name].value for name in found] == pytest.approx(list(wanted), rel=1e-9)
    assert [found[name].unit for name in found] == ["HU", "dB", "1"]
    assert {found[name].mask for name in found} == {"body"}


def test_equal_volumes_have_1() -> None:
    real, _, mask = phantom((16, 20, 20), 0)
    for compat in (True, False):
        found = ms_ssim(real, real, CT_RANGE, mask, synthrad2025_compat=compat)
        assert found.value == pytest.approx(1)
        assert found.settings["synthrad2025_compat"] is compat


def test_the_quirk_matters_when_brightness_differs() -> None:
    real, _, mask = phantom((16, 20, 20), 0)
    brighter = real + 400
    compat = ms_ssim(real, brighter, CT_RANGE, mask).value
    defined = ms_ssim(real, brighter, CT_RANGE, mask, synthrad2025_compat=False).value
    assert compat < defined < 1


def test_mae_counts_metal_beyond_the_range_and_psnr_does_not() -> None:
    real, _, mask = phantom((16, 20, 20), 0)
    real[8, 10, 10] = 3071
    synthetic = real.copy()
    synthetic[8, 10, 10] = 9071
    found = synthrad_scores(real, synthetic, mask)
    assert found["MAE"].value == pytest.approx(6000 / mask.inside(real).sum())
    assert found["PSNR"].value == np.inf


def test_what_lies_outside_the_body_does_not_count() -> None:
    real, synthetic, mask = phantom((16, 20, 20), 0)
    assert mask.voxels is not None
    table = np.where(mask.voxels, synthetic, 3000)
    wanted = synthrad_scores(real, synthetic, mask)
    for name, found in synthrad_scores(real, table, mask).items():
        assert found.value == wanted[name].value


def test_images_and_masks_that_are_too_thin_are_refused() -> None:
    real, synthetic, _ = phantom((100, 100, 100), 0)
    with pytest.raises(MetricError, match="wants volumes"):
        ms_ssim(real[0], synthetic[0], CT_RANGE, Mask("all", None))
    thin = np.zeros(real.shape, bool)
    thin[51, 51, 51] = True
    with pytest.raises(MetricError, match="no voxel left at scale 2"):
        ms_ssim(real, synthetic, CT_RANGE, Mask("dot", thin))
