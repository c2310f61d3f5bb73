"""A drawn breast: its outline, tissue and masses, and where iodine lies in it.

`draw_breast` draws the parameters; `tissue_of` and `iodine_of` make maps of them on any grid. The
same parameters give the same maps. What is assumed:

* compressed breast of one thickness, its edge a half circle; adipose and glandular tissue, skin;
* glandular tissue: power-law noise behind the nipple, thresholded to the density drawn, and thin
  strands; masses are blobs of glandular tissue of irregular outline;
* iodine as an area density in mg/cm2. `CORRELATED`: glandular tissue takes up a drawn share of it,
  masses mostly take up more. `INDEPENDENT`: the same amounts, placed without looking at the tissue
  (the null case: nothing in the low-energy image tells of them). `NONE`: before the injection.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.float32]
"""(rows, columns) float32."""

REFERENCE_CM = 4.5
"""Thickness to which the uptake of tissue is counted."""

SKIN_CM = 0.15
"""Of each skin, taken as glandular tissue."""

FIELD_CM = 24.0
"""Height of the field of view."""

PLAIN_GREY = 0.22
"""Recombined display value of tissue without iodine: CDD-CESM's images have 0.20 to 0.27."""


class Iodine(Enum):
    """Where the iodine is."""

    CORRELATED = "correlated"  # where the tissue says: glandular tissue and masses
    INDEPENDENT = "independent"  # the same amounts, anywhere: the null case
    NONE = "none"  # nowhere: before the injection


@dataclass(frozen=True)
class Mass:
    """A mass, all lengths as shares of the field's height.

    Attributes:
        place: (from the chest wall, from the middle), centre.
        radius: mean radius.
        tissue_cm: thickness of glandular tissue that it replaces at its centre.
        iodine: mg/cm2 at its centre; 0 when it does not enhance.
        seed: of its outline.
    """

    place: tuple[float, float]
    radius: float
    tissue_cm: float
    iodine: float
    seed: int


@dataclass(frozen=True)
class Breast:
    """Everything that was drawn for one breast.

    Attributes:
        side: "L" (chest wall at the left of the image) or "R".
        view: "CC" or "MLO" (with the pectoral muscle).
        depth: reach from the chest wall, share of the field's height.
        half_height: half the height of the breast at the chest wall, the same share.
        roundness: exponent of the outline; 2 is an ellipse.
        thickness_cm: compressed.
        density: share of glandular tissue behind the nipple.
        strands: strength of the thin structures.
        uptake: mg/cm2 of iodine of 4.5 cm of glandular tissue (background enhancement).
        shading: part of the thickness shading that stays in the recombined image.
        plain: display value of plain tissue in the recombined image.
        gamma: of the low-energy display.
        masses: none to three.
        seed: of textures and noise.
    """

    side: str
    view: str
    depth: float
    half_height: float
    roundness: float
    thickness_cm: float
    density: float
    strands: float
    uptake: float
    shading: float
    plain: float
    gamma: float
    masses: tuple[Mass, ...]
    seed: int


def draw_breast(random: np.random.Generator) -> Breast:
    """Draw a breast."""
    view = "CC" if random.random() < 0.5 else "MLO"
    depth = random.uniform(0.28, 0.52)
    half_height = random.uniform(0.4, 0.6)
    count = int(random.choice([0, 1, 2, 3], p=[0.3, 0.4, 0.2, 0.1]))
    return Breast(
        side="L" if random.random() < 0.5 else "R",
        view=view,
        depth=depth,
        half_height=half_height,
        roundness=random.uniform(1.8, 2.6),
        thickness_cm=random.uniform(3.0, 7.0),
        density=random.beta(1.6, 2.2),
        strands=random.uniform(0.05, 0.3),
        uptake=random.uniform(0.0, 0.6) if random.random() < 0.85 else random.uniform(0.6, 1.4),
        shading=random.uniform(-0.05, 0.08),
        plain=random.normal(PLAIN_GREY, 0.02),
        gamma=random.uniform(0.7, 1.4),
        masses=tuple(_draw_mass(random, depth, half_height) for _ in range(count)),
        seed=int(random.integers(2**31)),
    )


def _draw_mass(random: np.random.Generator, depth: float, half_height: float) -> Mass:
    enhances = random.random() < 0.75
    radius = random.uniform(0.012, 0.05)
    return Mass(
        place=(
            random.uniform(0.15, 0.75) * depth,
            random.uniform(-0.6, 0.6) * half_height,
        ),
        radius=radius,
        tissue_cm=min(FIELD_CM * radius * 2, 2.5) * random.uniform(0.5, 0.9),
        iodine=random.uniform(0.4, 2.0) if enhances else 0.0,
        seed=int(random.integers(2**31)),
    )


@dataclass(frozen=True, eq=False)
class Tissue:
    """Maps of one breast, chest wall at the left; (rows, columns) each.

    Attributes:
        mask: true inside the breast.
        thickness_cm: of everything.
        glandular_cm: of glandular tissue, masses and skin.
        uptake: thickness of glandular tissue that takes iodine up, cm.
        blobs: height of each mass, 1 at its centre.
        lesions: true inside masses that take iodine up.
    """

    mask: npt.NDArray[np.bool_]
    thickness_cm: npt.NDArray[np.float64]
    glandular_cm: npt.NDArray[np.float64]
    uptake: npt.NDArray[np.float64]
    blobs: tuple[npt.NDArray[np.float64], ...]
    lesions: npt.NDArray[np.bool_]


def tissue_of(breast: Breast, rows: int, columns: int, random: np.random.Generator) -> Tissue:
    """The maps of a breast in a field of `rows` x `columns` square pixels."""
    down, across = np.mgrid[0:rows, 0:columns] / rows  # shares of the height
    middle = 0.5 if breast.view == "CC" else 0.55
    upright = down - middle
    wobble = 0.02 * _noise(rows, columns, 4.0, random)
    power = breast.roundness
    outline = (across / breast.depth) ** power + np.abs(upright / breast.half_height) ** power
    mask = (outline + wobble < 1.0) & (across >= 0)
    muscle = (breast.view == "MLO") & (across / (0.45 * breast.depth) + down / 0.5 < 1.0)
    mask |= muscle
    thickness = _thickness(mask, breast.thickness_cm, rows)
    blobs = tuple(_blob(mass, across, upright, rows, columns) for mass in breast.masses)
    density = _density(breast, across, upright, random) * ~muscle
    strands = breast.strands * np.exp(-((_noise(rows, columns, 3.0, random) / 0.08) ** 2))
    share = np.clip(density + strands, 0.0, 1.0)
    glandular = thickness * share + 2 * SKIN_CM
    for mass, blob in zip(breast.masses, blobs, strict=True):
        glandular += mass.tissue_cm * blob
    glandular = np.where(muscle, 0.85 * thickness, glandular)
    lesions = np.zeros_like(mask)
    for mass, blob in zip(breast.masses, blobs, strict=True):
        lesions |= (blob > 0.5) & (mass.iodine > 0)
    return Tissue(
        mask, thickness, np.clip(glandular, 0, thickness), density * thickness, blobs, lesions
    )


def _thickness(
    mask: npt.NDArray[np.bool_], thickness_cm: float, rows: int
) -> npt.NDArray[np.float64]:
    """Thickness in cm: the edge of a compressed breast is a half circle, the chest wall is none."""
    distance = ndimage.distance_transform_edt(mask) * FIELD_CM / rows  # the image's edge is no end
    inward = np.minimum(distance / (thickness_cm / 2), 1.0)
    return np.asarray(np.where(mask, thickness_cm * np.sqrt(1 - (1 - inward) ** 2), 0.0))


def _density(
    breast: Breast,
    across: npt.NDArray[np.float64],
    upright: npt.NDArray[np.float64],
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Share of glandular tissue: noise behind the nipple, pushed apart into tissue and fat."""
    rows, columns = across.shape
    texture = _noise(rows, columns, 3.4, random)
    centre = np.exp(
        -(((across / breast.depth - 0.5) / 0.45) ** 2) - (upright / breast.half_height / 0.6) ** 2
    )
    level = 1.5 * (breast.density - 0.5) + 1.2 * (centre - 0.7)
    return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (0.5 * texture + level))))


def _blob(
    mass: Mass,
    across: npt.NDArray[np.float64],
    upright: npt.NDArray[np.float64],
    rows: int,
    columns: int,
) -> npt.NDArray[np.float64]:
    """A mass of height 1 with an irregular outline."""
    random = np.random.default_rng(mass.seed)
    away = np.hypot(across - mass.place[0], upright - mass.place[1]) / mass.radius
    away = away + 0.25 * _noise(rows, columns, 3.0, random)
    return np.asarray(1.0 / (1.0 + np.exp(6.0 * (away - 1.0))))


def _noise(rows: int, columns: int, power: float, random: np.random.Generator) -> Image:
    """Noise with an amplitude spectrum of frequency to -power / 2; mean 0, deviation 1.

    Drawn for a fixed grid of low frequencies, so that a finer image has the same coarse structure.
    """
    spectrum = np.zeros((rows, columns // 2 + 1), complex)
    size = 128
    drawn = random.normal(size=(2 * size, size)) + 1j * random.normal(size=(2 * size, size))
    high, wide = min(size, rows // 2), min(size, columns // 2)
    down = np.fft.fftfreq(2 * size, 1 / (2 * size))
    wave = np.hypot(down[:, None], np.arange(size)[None] * rows / columns)
    wave[0, 0] = np.inf
    drawn *= wave ** (-power / 2)
    spectrum[:high, :wide] = drawn[:high, :wide]
    spectrum[-high:, :wide] = drawn[-high:, :wide]
    image = np.fft.irfft2(spectrum, (rows, columns))
    return np.asarray((image - image.mean()) / image.std(), np.float32)


def iodine_of(breast: Breast, iodine: Iodine, tissue: Tissue) -> npt.NDArray[np.float64]:
    """Iodine in mg/cm2, (rows, columns)."""
    if iodine is Iodine.NONE:
        return np.zeros(tissue.mask.shape)
    amount = breast.uptake * tissue.uptake / REFERENCE_CM
    for mass, blob in zip(breast.masses, tissue.blobs, strict=True):
        amount = amount + mass.iodine * blob
    if iodine is Iodine.CORRELATED:
        return np.asarray(np.where(tissue.mask, amount, 0.0))
    # The null case: the iodine of another breast, of which this one knows nothing.
    other = draw_breast(np.random.default_rng([breast.seed, 1]))
    rows, columns = tissue.mask.shape
    elsewhere = tissue_of(other, rows, columns, np.random.default_rng([breast.seed, 2]))
    amount = other.uptake * elsewhere.uptake / REFERENCE_CM
    for mass, blob in zip(other.masses, elsewhere.blobs, strict=True):
        amount = amount + mass.iodine * blob
    return np.asarray(np.where(tissue.mask, amount, 0.0))
