from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainers.simulation.projection import ParallelBeam

SIZE, SPACING_MM = 128, 1.5
BEAM = ParallelBeam(SIZE, SPACING_MM, 180)


def disk(radius: float, across: float = 0.0, size: int = SIZE) -> NDArray[np.float32]:
    """A disk (radius in pixels) with soft edges, `across` columns from the centre."""
    down, right = np.mgrid[:size, :size] - size // 2
    distance = np.hypot(down, right - across)
    return np.asarray(np.clip(radius + 0.5 - distance, 0, 1), np.float32)


def test_integrals_of_a_disk_are_its_chords() -> None:
    radius = 40.0
    sinogram = BEAM.project(disk(radius) * 0.02)
    offset = np.arange(BEAM.bins) - BEAM.bins // 2
    chord = 2 * np.sqrt(np.clip(radius**2 - offset**2, 0, None)) * SPACING_MM * 0.02
    inner = np.abs(offset) < radius - 3
    expected = np.broadcast_to(chord[inner], (180, int(inner.sum())))
    np.testing.assert_allclose(sinogram[:, inner], expected, rtol=0.02)
    assert np.abs(sinogram[:, np.abs(offset) > radius + 4]).max() < 0.02 * chord.max()


def test_a_disk_off_centre_wanders_as_a_cosine() -> None:
    sinogram = BEAM.project(disk(10, across=30))
    offset = np.arange(BEAM.bins) - BEAM.bins // 2
    centre = (sinogram * offset).sum(axis=1) / sinogram.sum(axis=1)
    angle = np.arange(180) * np.pi / 180
    assert np.abs(np.abs(centre) - np.abs(30 * np.cos(angle))).max() < 0.3


def test_every_view_holds_the_whole_mass() -> None:
    image = disk(20, across=15) + disk(8)
    mass = BEAM.project(image).sum(axis=1) * SPACING_MM
    np.testing.assert_allclose(mass, image.sum() * SPACING_MM**2, rtol=1e-3)


@pytest.mark.parametrize("size", [96, 127, 128])
def test_projection_and_back_give_the_image(size: int) -> None:
    beam = ParallelBeam(size, 0.8, 360)
    image = disk(30, across=8, size=size) * 0.02
    again = beam.reconstruct(beam.project(image))
    inside = disk(26, across=8, size=size) == 1
    assert again[inside].mean() == pytest.approx(0.02, rel=0.01)
    assert np.abs(again[inside] - 0.02).max() < 0.002
    assert np.sqrt(np.mean((again - image) ** 2)) < 0.05 * 0.02 * 5


def test_projecting_and_back_is_symmetric() -> None:
    random = np.random.default_rng(0)
    first, second = (disk(50) * random.normal(size=(SIZE, SIZE)).astype(np.float32) for _ in "ab")
    there = float((BEAM.reconstruct(BEAM.project(first)) * second).sum())
    back = float((first * BEAM.reconstruct(BEAM.project(second))).sum())
    assert abs(there - back) < 1e-3 * float(np.linalg.norm(first) * np.linalg.norm(second))


def test_a_kernel_takes_high_frequencies_away() -> None:
    noise = np.random.default_rng(0).normal(size=(180, BEAM.bins))
    sharp = BEAM.reconstruct(noise)
    soft = BEAM.reconstruct(noise, lambda f: np.exp(-((f / 0.1) ** 2)))
    assert soft.std() < 0.5 * sharp.std()
