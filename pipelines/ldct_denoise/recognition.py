"""Which series this pipeline is meant for: original axial CT at low dose."""

from __future__ import annotations

from dicom_profiles.recognition import recognise_low_dose_ct as recognise

KIND = "low_dose_ct"
"""The kind that `recognise` gives to a series for this pipeline."""

__all__ = ["KIND", "recognise"]
