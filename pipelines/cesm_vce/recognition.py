"""Which image this pipeline is meant for: the low-energy image of contrast mammography."""

from __future__ import annotations

from dicom_profiles.recognition.mg import LOW_ENERGY
from dicom_profiles.recognition.mg import recognise_low_energy_mammogram as recognise

KINDS = {LOW_ENERGY: "LE"}
"""The kinds that `recognise` gives to inputs of this pipeline, and the key of each."""

__all__ = ["KINDS", "recognise"]
