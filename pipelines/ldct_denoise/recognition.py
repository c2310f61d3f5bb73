"""Which series this pipeline is meant for: original axial CT at low dose."""

from __future__ import annotations

from dicom_profiles.recognition.series import recognise_low_dose_ct as recognise

KINDS = {"low_dose_ct": "CT"}
"""The kinds that `recognise` gives to inputs of this pipeline, and the key of each."""

ACCEPTED = 0.5
"""The rule for low dose is narrow and the gate follows, so this confidence is enough."""

__all__ = ["ACCEPTED", "KINDS", "recognise"]
