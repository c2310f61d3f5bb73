"""Which series this pipeline is meant for: original axial CT of the whole body."""

from __future__ import annotations

from dicom_profiles.recognition.whole_body_ct import recognise_whole_body_ct as recognise

KINDS = {"whole_body_ct": "CT"}
"""The kinds that `recognise` gives to inputs of this pipeline, and the key of each."""

__all__ = ["KINDS", "recognise"]
