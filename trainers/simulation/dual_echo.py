"""A dual-echo gradient echo (in and opposed phase) simulated from a CT, all assumptions in sight.

Water and fat come from the Hounsfield units, which in soft tissue are a linear mixture of the two;
what MR shows beyond that (relaxation, coils, field) is drawn at random for every simulation and
says nothing about the CT. With W and F the signals of water and fat after T1 weighting and decay,
and phi the phase that fat gains on water by the echo time,

    signal(TE) = shade x | W + F exp(i phi(TE)) | exp(-R2'(x) TE), with Rician noise:
    IP = |W + F| near phi = 2 pi,  OOP = |W - F| near phi = pi.

    python -m trainers.simulation.dual_echo CT... --out FOLDER --drawings 4

simulates each CT (NIfTI file or DICOM folder) several times; `trainers.mr_to_ct` reads the folder
as the source `prepared:FOLDER`.

What it is not: no Bloch equations of a real sequence, one fat peak instead of six, no motion,
ghosts or flow, no chemical shift of place, tissue only as far as its CT number tells it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.interpolate import CubicSpline
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    distance_transform_edt,
    gaussian_filter,
    median_filter,
)
from torch.nn import functional

from trainers.mr_ct.couch import AIR_HU, without_couch
from trainers.readers.mr_ct import MrCtSeries, Slices, read_ct, save_prepared
from trainers.training.script import exit_code

# --- what tissue is, from its CT number ---------------------------------------------------------
FAT_HU, FAT_SHARE = -105.0, 0.92
"""Adipose tissue and its fat fraction."""
WATER_HU = 25.0
"""From here on soft tissue holds no fat; between the two the fraction is linear."""
BONE_FROM_HU, BONE_CORE_HU, BONE_FULL_HU = 130.0, 300.0, 1100.0
"""Bone is what is above the first beside or within something above the second: vessels and organs
with contrast medium are not. Mineral displaces protons: none at the first, nearly all at the
last."""
MARROW_SHARE = (0.25, 0.6)
"""Fat fraction of what is not mineral in bone; drawn for each simulation."""
LUNG_BELOW_HU = -350.0

# --- how MR sees it -----------------------------------------------------------------------------
FIELDS_T = (1.5, 3.0)
SHIFT_PPM, GYROMAGNETIC_MHZ_PER_T = 3.4, 42.577
"""Fat's resonance below that of water (one peak)."""
CYCLE_SPREAD = 0.04
"""Echo times miss their phase by up to this share of a cycle."""
T1_FAT_MS = (250.0, 380.0)
T1_WATER_MS = (550.0, 1400.0)
"""Bounds; between them T1 is a random smooth function of the CT number, and of place."""
FLIP_DEGREES, REPETITION_MS = (10.0, 80.0), (5.0, 180.0)
"""Spoiled gradient echo, from fast 3-D to the multi-slice 2-D of dual-echo protocols."""
T2_STAR_MS = {"water": 28.0, "fat": 18.0, "lung": 1.5, "bone": 2.0}
SUSCEPTIBILITY_PER_S = 120.0
"""Largest R2' beside air; falls with the distance over a few pixels."""
COIL_SHADE = 0.35
"""Largest deviation (natural logarithm) of the coils' sensitivity, smooth in space."""
SURFACE_SHARE, SURFACE_GAIN, SURFACE_REACH_MM = 0.6, (0.2, 1.3), (15.0, 60.0)
"""Arrays that lie on the body see its wall brighter than its middle where nobody corrects for it:
how often, how much at the skin (natural logarithm), and the depth in which that falls to 1 / e."""
NOISE = (0.008, 0.03)
"""Standard deviation in both channels, of the bright end."""

PIXEL_MM = 1.5
SLICE_MM = 3.0
"""Thinner CT slices are averaged up to this."""


@dataclass(frozen=True)
class Drawing:
    """What one simulation drew.

    Attributes:
        field_t: field strength.
        echo_times_ms: opposed phase, in phase.
        marrow: fat fraction of marrow.
        flip_degrees: excitation angle.
        repetition_ms: repetition time.
        t1_fat_ms: of fat.
        noise: of the bright end.
        surface_gain, surface_reach_mm: of coils on the skin; a gain of 0 for none.
    """

    field_t: float
    echo_times_ms: tuple[float, float]
    marrow: float
    flip_degrees: float
    repetition_ms: float
    t1_fat_ms: float
    noise: float
    surface_gain: float = 0.0
    surface_reach_mm: float = 1.0


def main() -> None:
    """Simulate, and keep what was simulated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ct", nargs="+", type=Path, help="NIfTI file or folder of DICOM")
    parser.add_argument("--out", type=Path, required=True, help="folder of the simulations")
    parser.add_argument("--drawings", type=int, default=4, help="simulations of each CT")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    given = parser.parse_args()
    for place in given.ct:
        ct = read_ct(place)
        for index in range(given.drawings):
            series = simulate_dual_echo(ct, seed=1000 * given.seed + index)
            save_prepared(series, given.out)


def draw_parameters(random: np.random.Generator) -> Drawing:
    """The scanner and the protocol of one simulation."""
    field = float(random.choice(FIELDS_T))
    cycle_ms = 1000.0 / (SHIFT_PPM * GYROMAGNETIC_MHZ_PER_T * field)
    miss = random.uniform(-CYCLE_SPREAD, CYCLE_SPREAD, 2)
    along = random.random()  # short repetitions go with small angles
    return Drawing(
        field_t=field,
        echo_times_ms=(float((0.5 + miss[0]) * cycle_ms), float((1.0 + miss[1]) * cycle_ms)),
        marrow=float(random.uniform(*MARROW_SHARE)),
        flip_degrees=FLIP_DEGREES[0] + along * (FLIP_DEGREES[1] - FLIP_DEGREES[0]),
        repetition_ms=REPETITION_MS[0] + along * (REPETITION_MS[1] - REPETITION_MS[0]),
        t1_fat_ms=float(random.uniform(*T1_FAT_MS)),
        noise=float(random.uniform(*NOISE)),
        surface_gain=float((random.random() < SURFACE_SHARE) * random.uniform(*SURFACE_GAIN)),
        surface_reach_mm=float(random.uniform(*SURFACE_REACH_MM)),
    )


def simulate_dual_echo(series: MrCtSeries, seed: int) -> MrCtSeries:
    """In-phase and opposed-phase images of a CT, on a grid of `PIXEL_MM`, with that CT.

    Args:
        series: a CT.
        seed: of everything that is drawn.
    """
    assert series.ct is not None
    random = np.random.default_rng(seed)
    ct, slice_mm = resampled(series.ct, series.pixel_mm, series.slice_mm)
    ct = without_couch(ct)
    drawing = draw_parameters(random)
    opposed, in_phase = echoes(without_noise(ct), drawing, random)
    mr = {"IP": in_phase, "OOP": opposed}
    return MrCtSeries(f"{series.patient}-{seed}", mr, ct, PIXEL_MM, slice_mm)


def resampled(ct: Slices, pixel_mm: float, slice_mm: float) -> tuple[Slices, float]:
    """The CT with the pixels and slices of an MR, averaged, and the distance of its slices."""
    together = max(1, round(SLICE_MM / slice_mm))
    count = max(1, len(ct) // together)
    thick = ct[: count * together].reshape(count, -1, *ct.shape[1:]).mean(axis=1)
    size = [max(1, round(side * pixel_mm / PIXEL_MM)) for side in ct.shape[1:]]
    images = torch.from_numpy(thick)[:, None]
    small = functional.interpolate(images, size, mode="bilinear", antialias=True)
    return small[:, 0].numpy(), slice_mm * together


def without_noise(ct: Slices) -> Slices:
    """The CT without its noise, which no MR of the patient would show."""
    calm = np.stack([median_filter(image, 3) for image in ct])
    hard = gaussian_filter((np.abs(ct) > 250).astype(np.float32), (0, 1, 1)) > 0.2
    return np.where(hard, ct, calm).astype(np.float32)


def water_and_fat(ct: Slices, marrow: float) -> tuple[Slices, Slices]:
    """Proton density of water and of fat, 0 to 1, from CT numbers."""
    matter = np.clip((ct - AIR_HU) / (FAT_HU - AIR_HU), 0, 1)  # lung and the skin's border
    mineral = _mineral(ct)
    share = FAT_SHARE * np.clip((WATER_HU - ct) / (WATER_HU - FAT_HU), 0, 1)
    share = np.where(mineral > 0, marrow, share)
    share = np.where(_inner_air(ct), 0.0, share)  # lung is water
    protons = matter * (1 - mineral)
    return (protons * (1 - share)).astype(np.float32), (protons * share).astype(np.float32)


def echoes(ct: Slices, drawing: Drawing, random: np.random.Generator) -> tuple[Slices, Slices]:
    """Opposed-phase and in-phase magnitude, bright end about 1000.

    Args:
        ct: (slices, rows, columns), HU, without noise.
        drawing: of scanner and protocol.
        random: of shade, T1 and noise.
    """
    water, fat = water_and_fat(ct, drawing.marrow)
    water = water * _t1_weight(_t1_of_water(ct, random), drawing)
    fat = fat * _t1_weight(np.float32(drawing.t1_fat_ms), drawing)
    shade = np.exp(_smooth_field(ct.shape, COIL_SHADE, random) + _surface_coils(ct, drawing))
    dephasing, decay = _dephasing(ct), _water_decay(ct)
    images = []
    for time_ms in drawing.echo_times_ms:
        phase = 2 * np.pi * SHIFT_PPM * GYROMAGNETIC_MHZ_PER_T * drawing.field_t * time_ms / 1000
        of_water = water * np.exp(-time_ms * decay)
        of_fat = fat * np.exp(-time_ms / T2_STAR_MS["fat"])
        both = of_water**2 + of_fat**2 + 2 * of_water * of_fat * np.cos(phase)  # |W + F e^i phi|^2
        attenuation = shade * np.exp(-time_ms / 1000 * dephasing)
        images.append(attenuation * np.sqrt(np.maximum(both, 0.0)))
    end = np.percentile(images[1][ct > FAT_HU - 60], 99)
    opposed, in_phase = (_noisy(image / end, drawing.noise, random) for image in images)
    return opposed, in_phase


def _noisy(magnitude: Slices, noise: float, random: np.random.Generator) -> Slices:
    """Magnitude of a signal with noise in both channels (Rician)."""
    real, imaginary = random.standard_normal((2, *magnitude.shape), np.float32) * noise
    return np.asarray(1000 * np.hypot(magnitude + real, imaginary), np.float32)


def _t1_weight(t1_ms: npt.NDArray[np.float32] | np.float32, drawing: Drawing) -> Slices:
    """Spoiled gradient echo in its steady state."""
    angle = np.radians(drawing.flip_degrees)
    left = np.exp(-drawing.repetition_ms / t1_ms)
    return np.asarray(np.sin(angle) * (1 - left) / (1 - np.cos(angle) * left), np.float32)


def _t1_of_water(ct: Slices, random: np.random.Generator) -> Slices:
    """T1 of water in ms: random over CT numbers (organs differ), and slowly over space."""
    knots = np.array([-200.0, 0.0, 30.0, 60.0, 100.0, 160.0, 300.0])
    low, high = T1_WATER_MS
    t1 = np.interp(ct, knots, random.uniform(low, high, knots.size))
    return (t1 * np.exp(_smooth_field(ct.shape, 0.15, random))).astype(np.float32)


def _smooth_field(shape: tuple[int, ...], largest: float, random: np.random.Generator) -> Slices:
    """A field that changes over a third of the image, between -largest and largest."""
    field = random.normal(size=(4, 4, 4))
    for axis, size in enumerate(shape):
        field = CubicSpline(np.arange(4), field, axis=axis)(np.linspace(0, 3, size))
    return np.asarray(field * (largest / np.abs(field).max()), np.float32)


def _surface_coils(ct: Slices, drawing: Drawing) -> Slices:
    """Logarithm of what coils on the skin add, by the depth in the body of each slice."""
    if not drawing.surface_gain:
        return np.zeros_like(ct)
    body = [binary_fill_holes(image > LUNG_BELOW_HU) for image in ct]
    depth = np.stack([distance_transform_edt(inside) for inside in body]) * PIXEL_MM
    fall = np.exp(-depth / drawing.surface_reach_mm)
    return np.asarray(drawing.surface_gain * fall, np.float32)


def _mineral(ct: Slices) -> Slices:
    """Share of the protons that mineral displaces; 0 outside bone."""
    bone = np.stack([_bone(image) for image in ct])
    share = np.clip((ct - BONE_FROM_HU) / (BONE_FULL_HU - BONE_FROM_HU), 0, 0.97)
    return np.where(bone, share, 0).astype(np.float32)


def _bone(image: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Bone of one slice: hard rims, what lies beside them, and what they enclose."""
    core = image > BONE_CORE_HU
    beside = binary_dilation(core, iterations=2)
    within = binary_fill_holes(binary_closing(core, np.ones((5, 5))))
    return np.asarray((beside | within) & (image > BONE_FROM_HU))


def _inner_air(ct: Slices) -> npt.NDArray[np.bool_]:
    """Lung and gas: darker than tissue, inside the body."""
    body = np.stack([binary_fill_holes(image > LUNG_BELOW_HU) for image in ct])
    return np.asarray(body & (ct < LUNG_BELOW_HU))


def _dephasing(ct: Slices) -> Slices:
    """R2' in 1/s: air bends the field beside it; B0's own phase is common to water and fat."""
    air = (ct < LUNG_BELOW_HU).astype(np.float32)
    spread = gaussian_filter(air, (0, 2, 2))
    rows, columns = np.gradient(spread, axis=(1, 2))
    steep = np.hypot(rows, columns)
    return np.asarray(SUSCEPTIBILITY_PER_S * steep / max(float(steep.max()), 1e-6), np.float32)


def _water_decay(ct: Slices) -> Slices:
    """1 / T2* of water in 1/ms: quick in lung and in bone."""
    mineral = _mineral(ct)
    decay = 1 / T2_STAR_MS["water"] + mineral * (1 / T2_STAR_MS["bone"] - 1 / T2_STAR_MS["water"])
    return np.where(_inner_air(ct), 1 / T2_STAR_MS["lung"], decay).astype(np.float32)


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
