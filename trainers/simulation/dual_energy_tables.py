r"""Make the physics tables of the dual-energy breast simulator: spectra and attenuation.

    pip install spekpy==2.5.4 xraydb==4.5.8
    python -m trainers.simulation.dual_energy_tables --out trainers/dual_energy.json

The tables are kept in the project, because spekpy alone takes 164 MB and both are needed once. Both
are MIT. Spectra: Poludniowski, Omar, Bujila and Andreo, Med. Phys. 48 (2021) 3630. Attenuation:
Elam, Ravel and Sieber, Radiat. Phys. Chem. 63 (2002) 121. Breast tissues: Hammerstein et al.,
Radiology 130 (1979) 485.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ENERGIES_KEV = np.arange(10.0, 50.0)

# Element -> share of the mass (Hammerstein et al. 1979; ash taken as phosphorus).
TISSUES: dict[str, tuple[float, Mapping[str, float]]] = {
    "adipose": (0.93, {"H": 0.112, "C": 0.619, "N": 0.017, "O": 0.251, "P": 0.001}),
    "glandular": (1.04, {"H": 0.102, "C": 0.184, "N": 0.032, "O": 0.677, "P": 0.005}),
    "pmma": (1.19, {"H": 0.0805, "C": 0.5998, "O": 0.3196}),
}
"""Density in g/cm3 and composition."""

CAESIUM_IODIDE = {"Cs": 0.5115, "I": 0.4885}

# Anode, tube voltage, filter and its thickness in mm: a low- and a high-energy exposure.
EXPOSURES: dict[str, tuple[str, float, str, float]] = {
    "low": ("Rh", 29.0, "Rh", 0.025),
    "high": ("Rh", 49.0, "Cu", 0.3),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, make the tables, write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(argv)
    given.out.write_text(json.dumps(tables(), indent=1) + "\n")
    print(f"wrote {given.out}")
    return 0


def tables() -> dict[str, Any]:
    """Energies, spectra (photons, sum 1), and attenuation."""
    linear = {
        f"{name}_per_cm": density * _mass_attenuation(parts)
        for name, (density, parts) in TISSUES.items()
    }
    mass = {
        "iodine_cm2_per_g": _mass_attenuation({"I": 1.0}),
        "caesium_iodide_cm2_per_g": _mass_attenuation(CAESIUM_IODIDE),
    }
    spectra = {f"{name}_spectrum": _spectrum(*exposure) for name, exposure in EXPOSURES.items()}
    columns = {name: _rounded(values) for name, values in {**spectra, **linear, **mass}.items()}
    exposures = {name: list(exposure) for name, exposure in EXPOSURES.items()}
    return {
        "made_by": "trainers/simulation/dual_energy_tables.py with spekpy 2.5.4 and xraydb 4.5.8",
        "exposures": exposures,
        "energies_kev": list(ENERGIES_KEV),
        **columns,
    }


def _spectrum(anode: str, kilovolts: float, filter_metal: str, filter_mm: float) -> Any:
    """Photons at each of `ENERGIES_KEV`, sum 1, through beryllium, filter and air."""
    spekpy = import_module("spekpy")
    tube = spekpy.Spek(kvp=kilovolts, th=20, targ=anode, dk=1.0, physics="kqp")
    tube.filter("Be", 0.8).filter(filter_metal, filter_mm).filter("Air", 650)
    energies, photons = tube.get_spectrum()
    found = np.interp(ENERGIES_KEV, energies, photons, left=0.0, right=0.0)
    return found / found.sum()


def _mass_attenuation(parts: Mapping[str, float]) -> Any:
    """cm2/g at each of `ENERGIES_KEV`."""
    xraydb = import_module("xraydb")
    volts = ENERGIES_KEV * 1000.0
    return sum(share * xraydb.mu_elam(element, volts) for element, share in parts.items())


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


if __name__ == "__main__":
    raise SystemExit(main())
