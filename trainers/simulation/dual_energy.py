"""A dual-energy breast simulator with known iodine: pairs as contrast mammography makes them.

A breast that `trainers.simulation.drawn_breast` draws is imaged (`image_breast`): the same
parameters give the same pair. What is assumed beside what that file says:

* two exposures (spectra, attenuation, caesium iodide detector: `dual_energy.json`), ideal geometry,
  no scatter, quantum noise by area, no motion between the exposures;
* recombined = -(ln high - w ln low), w such that adipose and glandular tissue look alike at
  `REFERENCE_CM`; a part of the thickness shading stays, as vendors leave it; display in [0, 1].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.simulation.drawn_breast import (
    FIELD_CM,
    REFERENCE_CM,
    Breast,
    Image,
    Iodine,
    Tissue,
    iodine_of,
    tissue_of,
)

TABLES = Path(__file__).with_name("dual_energy.json")

SCINTILLATOR_G_PER_CM2 = 0.1
PADDLE_CM = 0.25

GREY_PER_MG = 0.25
"""Display value of 1 mg/cm2 of iodine."""

NEGLIGIBLE = 1e-4
"""Energies with less than this share of the signal are left out."""

QUANTA_PER_MM2 = 1e6
"""Detected quanta of an exposure without a breast, in effect: matches the grain of CDD-CESM."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One simulated examination.

    Attributes:
        low_energy: (rows, columns), display in [0, 1]; dense tissue is bright, air 0.
        recombined: (rows, columns), display in [0, 1]; iodine is bright, air 0.
        enhancement: (rows, columns), the share of `recombined` that iodine made, without noise.
        iodine: (rows, columns), mg/cm2.
        lesions: (rows, columns), true inside enhancing masses.
        breast: (rows, columns), true inside the breast.
    """

    low_energy: Image
    recombined: Image
    enhancement: Image
    iodine: Image
    lesions: npt.NDArray[np.bool_]
    breast: npt.NDArray[np.bool_]


def image_breast(
    breast: Breast, iodine: Iodine, rows: int = 256, columns: int = 144, noise: bool = True
) -> Pair:
    """Image a breast in a field of `rows` x `columns` square pixels, chest wall at its side."""
    random = np.random.default_rng(breast.seed)
    tissue = tissue_of(breast, rows, columns, random)
    amount = iodine_of(breast, iodine, tissue)
    pixel_mm = 10.0 * FIELD_CM / rows
    quanta = QUANTA_PER_MM2 * pixel_mm**2 if noise else 0.0
    low = _log_signal("low", tissue.thickness_cm, tissue.glandular_cm, amount)
    high = _log_signal("high", tissue.thickness_cm, tissue.glandular_cm, amount)
    high_without = _log_signal("high", tissue.thickness_cm, tissue.glandular_cm, 0 * amount)
    low_without = _log_signal("low", tissue.thickness_cm, tissue.glandular_cm, 0 * amount)
    enhancement = _recombine(low, high) - _recombine(low_without, high_without)
    if quanta:
        low += random.normal(size=low.shape) / np.sqrt(quanta * np.exp(low))
        high += random.normal(size=low.shape) / np.sqrt(quanta * np.exp(high))
    recombined = _display_recombined(_recombine(low, high), breast, tissue)
    pair = Pair(
        low_energy=_display_low(low, breast, tissue),
        recombined=recombined,
        enhancement=np.where(tissue.mask, GREY_PER_MG * enhancement / _per_mg(), 0.0).astype("f4"),
        iodine=amount.astype(np.float32),
        lesions=tissue.lesions & tissue.mask & (iodine is not Iodine.NONE),
        breast=tissue.mask,
    )
    return pair if breast.side == "L" else _mirrored(pair)


@cache
def _tables() -> dict[str, npt.NDArray[np.float64]]:
    read = json.loads(TABLES.read_text())
    return {name: np.array(column) for name, column in read.items() if name[-1] in "vmg"}


def _weights(exposure: str) -> npt.NDArray[np.float64]:
    """Share of each energy in the detector's signal, (energies,)."""
    tables = _tables()
    absorbed = 1 - np.exp(-tables["caesium_iodide_cm2_per_g"] * SCINTILLATOR_G_PER_CM2)
    through = np.exp(-tables["pmma_per_cm"] * PADDLE_CM)
    signal = tables[f"{exposure}_spectrum"] * tables["energies_kev"] * absorbed * through
    return np.asarray(signal / signal.sum())


def _log_signal(
    exposure: str,
    thickness_cm: npt.NDArray[np.float64],
    glandular_cm: npt.NDArray[np.float64],
    iodine_mg: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Logarithm of the detector's signal, 0 without a breast; any shape."""
    tables = _tables()
    signal = np.zeros(np.shape(thickness_cm))
    adipose_cm = thickness_cm - glandular_cm
    columns = (
        _weights(exposure),
        tables["adipose_per_cm"],
        tables["glandular_per_cm"],
        tables["iodine_cm2_per_g"] / 1000.0,
    )
    for weight, adipose, glandular, iodine in zip(*columns, strict=True):
        if weight > NEGLIGIBLE:
            path = adipose * adipose_cm + glandular * glandular_cm + iodine * iodine_mg
            signal += weight * np.exp(-path)
    return np.asarray(np.log(signal))


@cache
def recombination_weight() -> float:
    """The w of `ln high - w ln low` that makes adipose and glandular tissue alike."""
    thickness = np.full(2, REFERENCE_CM)
    glandular, nothing = np.array([0.0, REFERENCE_CM]), np.zeros(2)
    low = _log_signal("low", thickness, glandular, nothing)
    high = _log_signal("high", thickness, glandular, nothing)
    return float((high[1] - high[0]) / (low[1] - low[0]))


@cache
def _per_mg() -> float:
    """Recombined signal of 1 mg/cm2 in half glandular tissue of `REFERENCE_CM`."""
    thickness, glandular = np.full(2, REFERENCE_CM), np.full(2, REFERENCE_CM / 2)
    amount = np.array([0.0, 1.0])
    signals = [_log_signal(name, thickness, glandular, amount) for name in ("low", "high")]
    recombined = _recombine(*signals)
    return float(recombined[1] - recombined[0])


def _recombine(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Iodine makes it rise."""
    return np.asarray(recombination_weight() * low - high)


def _display_recombined(
    recombined: npt.NDArray[np.float64], breast: Breast, tissue: Tissue
) -> Image:
    """Plain tissue to `breast.plain`, iodine above it; a part of the thickness shading stays."""
    plain = _plain(tissue.thickness_cm, tissue.thickness_cm / 2)
    inside = tissue.thickness_cm / breast.thickness_cm
    grey = breast.plain + GREY_PER_MG * (recombined - plain) / _per_mg()
    grey = grey * (1 - breast.shading * 4 * (1 - inside))
    return np.where(tissue.mask, np.clip(grey, 0, 1), 0.0).astype(np.float32)


def _plain(
    thickness_cm: npt.NDArray[np.float64], glandular_cm: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Recombined signal of tissue without iodine."""
    nothing = np.zeros_like(thickness_cm)
    return _recombine(
        _log_signal("low", thickness_cm, glandular_cm, nothing),
        _log_signal("high", thickness_cm, glandular_cm, nothing),
    )


def _display_low(low: npt.NDArray[np.float64], breast: Breast, tissue: Tissue) -> Image:
    """Attenuation beyond that of fat, most of the edge's fall taken out; as for presentation."""
    fat = _log_signal("low", tissue.thickness_cm, 0 * low, 0 * low)
    beyond = -(low - 0.9 * fat)
    darkest, brightest = np.quantile(beyond[tissue.mask], (0.01, 0.995))
    grey = np.clip((beyond - darkest) / max(brightest - darkest, 1e-6), 0, 1.2) ** breast.gamma
    return np.where(tissue.mask, np.clip(0.06 + 0.75 * grey, 0, 1), 0.0).astype(np.float32)


def _mirrored(pair: Pair) -> Pair:
    """The other side: chest wall at the right."""
    flipped = {name: np.ascontiguousarray(value[:, ::-1]) for name, value in vars(pair).items()}
    return Pair(**flipped)
