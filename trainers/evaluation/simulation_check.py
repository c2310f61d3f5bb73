"""Hold the simulator against the truth: a phantom that was really scanned at two doses.

The simulator is calibrated to the full-dose images alone, inserts the noise of 10 % of their dose,
and what comes out is compared with the scans at 10 %.

The phantom's noise grows as sqrt(10) from 100 % to 10 %, so that it has no electronic noise to
speak of; real scanners have some, which is why the simulator's usual setting is compared as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainers.evaluation.phantom import SPACING_MM, UNIFORM, Images, read_phantom
from trainers.metrics.noise_power import mean_frequency, noise_power_spectrum
from trainers.metrics.spectrum import Spectrum
from trainers.simulation.low_dose import inserted_noise
from trainers.simulation.noise_calibration import calibrate

DOSE = 0.1


@dataclass(frozen=True)
class SimulationCheck:
    """Noise of the phantom's repeats in its uniform part, scanned and simulated.

    Attributes:
        electronic: electronic noise that the simulator was given, photons.
        full_hu: standard deviation at full dose, scanned, HU.
        low_hu: standard deviation at 10 %, scanned, HU.
        simulated_hu: standard deviation at 10 %, simulated from the full-dose images, HU.
        low_frequency: mean frequency of the noise power spectrum at 10 %, scanned, cycles per mm.
        simulated_frequency: the same, simulated.
        shape_error: root mean square difference of the two normalised spectra, as a share of
            their largest value.
        photons: incident photons a ray that the calibration found.
        f50: half-amplitude frequency of the kernel that it found, cycles per mm.
    """

    electronic: float
    full_hu: float
    low_hu: float
    simulated_hu: float
    low_frequency: float
    simulated_frequency: float
    shape_error: float
    photons: float
    f50: float


def check_simulation(folder: Path, electronic: float = 0.0) -> SimulationCheck:
    """Compare simulated with scanned noise.

    Args:
        folder: of the phantom.
        electronic: electronic noise of the simulator, in photons.
    """
    full, low = read_phantom(folder, "100", "absent"), read_phantom(folder, "010", "absent")
    scanner = calibrate(full, SPACING_MM, electronic=electronic)
    random = np.random.default_rng(0)
    simulated = full + np.stack([inserted_noise(scanner, image, DOSE, random) for image in full])
    spectra = [_spectrum(images) for images in (low, simulated)]
    shapes = [spectrum.power / spectrum.power.sum() for spectrum in spectra]
    error = np.sqrt(np.mean((shapes[0] - shapes[1]) ** 2)) / shapes[0].max()
    return SimulationCheck(
        electronic,
        deviation(full),
        deviation(low),
        deviation(simulated),
        mean_frequency(spectra[0]),
        mean_frequency(spectra[1]),
        float(error),
        scanner.photons,
        scanner.kernel.f50,
    )


def deviation(images: Images) -> float:
    """Standard deviation over repeats in the uniform part, HU: (repeats, rows, columns)."""
    return float(np.sqrt(images[:, *UNIFORM].var(axis=0, ddof=1).mean()))


def _spectrum(images: Images) -> Spectrum:
    flat = images[:, *UNIFORM]
    return noise_power_spectrum(flat - flat.mean(axis=0), SPACING_MM)
