"""Make `calibration.json` of ldct_denoise: what its inputs look like, and how far is too far.

    python -m trainers.calibrate_ldct_denoise OUT.json SOURCE...

A source is a folder of one DICOM series, a NIfTI file in HU or a folder of such files
(`*_CT.nii.gz` where there are some, else all). Every source has one voice, however many volumes it
holds. Each volume is looked at whole and in thirds, in a full and a narrow field of view, as it is
and with noise of a lower dose added, so that coverage, field of view and dose count as usual. The
limits come from leaving one volume out at a time: AMBER at the 95 % quantile of its distances from
the others, RED at the 99 % quantile times RED_MARGIN, since a few scanners cannot stand for all.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipelines.features import Features, series_features
from pipelines.ldct_denoise.blocks import blocks
from pipelines.ldct_denoise.input_distance import FEATURES, KnownInputs, slice_features
from trainers.readers.series import series_in
from trainers.simulation.noise_calibration import CalibrationError
from trainers.training.script import exit_code

SEED = 20260101
SLICES = 6  # looked at in each view of a volume
NOISE_HU = (0.0, 20.0, 60.0, 150.0)  # added; 150 is 10 % of a usual dose in thin slices
GRAIN = (0.6, 1.0, 1.6)  # of the added noise: soft, usual and sharp kernels
SHRINKAGE = 0.2  # share of the covariance that is taken from its diagonal alone
LEAST_VARIANCE = 0.05  # of a feature: nothing is known better than this from few scanners
AMBER_QUANTILE, RED_QUANTILE, RED_MARGIN = 0.95, 0.99, 1.5

Voxels = npt.NDArray[np.float32]
Table = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Seen:
    """One volume: which source it is of, its weight, and its views, (views, features)."""

    source: str
    weight: float
    views: Table


def read_source(source: Path) -> list[Voxels]:
    """The volumes of a source, (slices, rows, columns) in HU each."""
    files = [source] if source.is_file() else []
    for pattern in ("*_CT.nii.gz", "*_ct.nii.gz", "*.nii*"):
        files = files or sorted(source.glob(pattern))
    return [_read_nifti(path) for path in files] or [series_in(source).voxels]


def _read_nifti(path: Path) -> Voxels:
    image = nibabel.Nifti1Image.from_filename(path)
    values = np.asarray(image.dataobj, np.float32)  # (x, y, z)
    return np.ascontiguousarray(values.transpose(2, 1, 0))


def ramp_noise(
    shape: tuple[int, ...], deviation_hu: float, grain: float, rng: np.random.Generator
) -> Voxels:
    """Noise with the spectrum of filtered back-projection: a ramp, rolled off by the kernel."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    amplitude = np.sqrt(frequency) * np.exp(-((frequency / (0.35 * grain)) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * amplitude, s=shape)
    return np.asarray(noise * deviation_hu / noise.std(), np.float32)


def views(volume: Voxels, rng: np.random.Generator) -> Iterator[Features]:
    """The features of a volume in every view: part, field of view, noise."""
    count, rows, columns = volume.shape
    thirds = [slice(count * i // 3, count * (i + 1) // 3) for i in range(3)]
    for part in (slice(0, count), *thirds):
        if len(volume[part]) < 2:
            continue
        for edge in (0, 6):
            top, left = (rows // edge, columns // edge) if edge else (0, 0)
            narrow = volume[part, top : rows - top, left : columns - left]
            for deviation in NOISE_HU:
                yield _view(narrow, deviation, float(rng.choice(GRAIN)), rng)


def _view(volume: Voxels, deviation: float, grain: float, rng: np.random.Generator) -> Features:
    def seen(index: int) -> Voxels:
        image: Voxels = volume[index]
        return image + ramp_noise(image.shape, deviation, grain, rng) if deviation else image

    places = np.unique(np.linspace(1, len(volume) - 1, SLICES).astype(int))
    return series_features([slice_features(blocks(seen(i)), blocks(seen(i - 1))) for i in places])


def known_inputs(volumes: list[Seen]) -> KnownInputs:
    """Weighted mean and shrunk covariance of all views; views that do not tell all are left out.

    Without limits: those come of distances, which need this first.
    """
    table = np.concatenate([seen.views for seen in volumes])
    weight = np.concatenate(
        [np.full(len(seen.views), seen.weight / len(seen.views)) for seen in volumes]
    )
    whole = np.isfinite(table).all(axis=1)
    table, weight = table[whole], weight[whole] / weight[whole].sum()
    centre = weight @ table
    away = table - centre
    covariance = (away * weight[:, None]).T @ away
    diagonal = np.diag(np.diag(covariance))
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal
    covariance += LEAST_VARIANCE * np.eye(len(centre))
    return KnownInputs(centre, np.linalg.inv(covariance), amber=math.inf, red=math.inf)


def left_out_distances(volumes: list[Seen]) -> Table:
    """Distance of every view from what all the other volumes teach."""
    distances: list[float] = []
    for index, seen in enumerate(volumes):
        others = known_inputs(volumes[:index] + volumes[index + 1 :])
        distances += [others.distance(view) for view in seen.views]
    return np.array(distances)


def calibrate(sources: list[Path]) -> dict[str, object]:
    """Everything that `calibration.json` holds.

    Raises:
        CalibrationError: there are fewer than two volumes.
    """
    rng = np.random.default_rng(SEED)
    volumes: list[Seen] = []
    for source in tqdm(sources, "sources"):
        found = read_source(source)
        volumes += [
            Seen(source.name, 1 / len(found), np.array(list(views(volume, rng))))
            for volume in tqdm(found, source.name, leave=False)
        ]
    if len(volumes) < 2:
        raise CalibrationError(
            f"Two volumes at least are wanted, since each is held against the others, got "
            f"{len(volumes)}; name more sources."
        )
    distances = left_out_distances(volumes)
    known = known_inputs(volumes)
    return {
        "made_by": "python -m trainers.calibrate_ldct_denoise",
        "sources": {s.name: sum(v.source == s.name for v in volumes) for s in sources},
        "views": len(distances),
        "amber_quantile": AMBER_QUANTILE,
        "red_quantile": RED_QUANTILE,
        "red_margin": RED_MARGIN,
        "largest_left_out_distance": round(float(distances.max()), 3),
        "amber_distance": round(float(np.quantile(distances, AMBER_QUANTILE)), 3),
        "red_distance": round(float(np.quantile(distances, RED_QUANTILE)) * RED_MARGIN, 3),
        "features": list(FEATURES),
        "centre": np.round(known.centre, 6).tolist(),
        "precision": np.round(known.precision, 6).tolist(),
    }


def main() -> None:
    """Read the arguments, calibrate, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="the calibration file to write")
    parser.add_argument("sources", type=Path, nargs="+", help="folders of full-dose CT")
    arguments = parser.parse_args()
    values = calibrate(arguments.sources)
    arguments.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"AMBER above {values['amber_distance']}, RED above {values['red_distance']}")


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
