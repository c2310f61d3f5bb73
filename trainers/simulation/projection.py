"""Parallel-beam projection and filtered back-projection by the Fourier slice theorem.

The spectrum of a projection is a line through the spectrum of the image. Both directions are
non-uniform Fourier transforms (FINUFFT), some thirty milliseconds a slice on one core. Clinical
scanners are helical fan beams; a parallel beam gives the same kind of noise (ramp-shaped spectrum,
streaks along the long axis of the body), and noise is all that is reconstructed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import finufft
import numpy as np
import numpy.typing as npt

PRECISION = 1e-4
"""Relative precision of the transforms; quantum noise is far coarser."""

Transfer = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Reconstruction kernel beside the ramp: spatial frequency (cycles per mm) to amplitude."""


@dataclass(frozen=True)
class ParallelBeam:
    """Views over half a turn round the centre of a square grid.

    Attributes:
        size: pixels along each side of the image.
        spacing_mm: distance between pixels, and between detector bins.
        views: number of view angles over pi.
    """

    size: int
    spacing_mm: float
    views: int = 360

    @cached_property
    def bins(self) -> int:
        """Detector bins: even, and more than the image's diagonal."""
        return 2 * math.ceil(0.75 * self.size)

    def project(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Integrate along rays.

        Args:
            image: (size, size), per mm.

        Returns:
            (views, bins), line integrals, no unit.
        """
        x, y = self._polar
        values = finufft.nufft2d2(y, x, image.astype(np.complex128), eps=PRECISION, isign=-1)
        spectra = values.reshape(self.views, self.bins)
        lines = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(spectra, axes=1), axis=1), axes=1)
        return np.asarray(lines.real * self.spacing_mm)

    def reconstruct(
        self, sinogram: npt.NDArray[np.float64], transfer: Transfer | None = None
    ) -> npt.NDArray[np.float32]:
        """Filtered back-projection.

        Args:
            sinogram: (views, bins), line integrals.
            transfer: the kernel beside the ramp; none is the plain ramp.

        Returns:
            (size, size), per mm.
        """
        spectra = np.fft.fft(np.fft.ifftshift(sinogram, axes=1), axis=1)
        filtered = np.fft.fftshift(spectra * self._filter(transfer), axes=1).ravel()
        x, y = self._polar
        image = finufft.nufft2d1(y, x, filtered, (self.size, self.size), eps=PRECISION, isign=1)
        scale = math.pi / self.views / self.bins / self.spacing_mm
        return np.asarray(image.real * scale, dtype=np.float32)

    @cached_property
    def _polar(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Angular frequencies (x, y) of every view and radial frequency, in radians per pixel."""
        angles = np.arange(self.views) * (math.pi / self.views)
        radial = np.fft.fftshift(np.fft.fftfreq(self.bins)) * (2 * math.pi)
        x, y = np.outer(np.cos(angles), radial), np.outer(np.sin(angles), radial)
        return np.ascontiguousarray(x.ravel()), np.ascontiguousarray(y.ravel())

    def _filter(self, transfer: Transfer | None) -> npt.NDArray[np.float64]:
        """Ramp times kernel in `numpy.fft` order; the ramp from its samples: means stay right."""
        offset = np.rint(np.fft.fftfreq(self.bins) * self.bins)
        odd = offset % 2 == 1
        kernel = np.zeros(self.bins)
        kernel[odd] = -1.0 / (math.pi * offset[odd]) ** 2
        kernel[0] = 0.25
        ramp = np.fft.fft(kernel).real
        if transfer is None:
            return np.asarray(ramp)
        return np.asarray(ramp * transfer(np.abs(np.fft.fftfreq(self.bins)) / self.spacing_mm))
