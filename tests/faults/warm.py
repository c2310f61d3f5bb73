"""Imported once, in the process from which others are forked: each of them begins at once."""

from __future__ import annotations

import gc

import tests.faults.killing  # noqa: F401 - what a fork has to import
from dicom_profiles.checks.iod import load_tables
from pipelines import catalog

load_tables()
catalog.card("ldct_denoise")
gc.freeze()  # what is here stays, and need not be looked through by every fork
