"""Which series this pipeline is meant for: in-phase, opposed-phase and other T1-weighted MR."""

from __future__ import annotations

from dicom_profiles.recognition.mr import IN_PHASE, OPPOSED_PHASE, OTHER_T1
from dicom_profiles.recognition.mr import recognise_mr as recognise

KINDS = {IN_PHASE: "IP", OPPOSED_PHASE: "OOP", OTHER_T1: "T1"}
"""The kinds that `recognise` gives to inputs of this pipeline, and the key of each."""

__all__ = ["KINDS", "recognise"]
