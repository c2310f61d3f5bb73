"""Coded entries that we write: DICOM's own, and the private scheme 99VSCAN.

PS3.3 section 8 (coded entries), PS3.16 annex D. There is no standard code for
images made by a network, so 99VSCAN declares its own and every object that uses
it names it in Coding Scheme Identification Sequence (0008,0110).
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from dicom_profiles.uids import derive_uid

SCHEME_DESIGNATOR = "99VSCAN"
SCHEME_UID = derive_uid("coding scheme", SCHEME_DESIGNATOR)
SCHEME_VERSION = "1"
DCM_SCHEME_UID = "1.2.840.10008.2.16.4"

# PS3.16 annex D, context groups 7005, 7202, 7162.
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
SYNTHESIZING_EQUIPMENT = Code("109100", "DCM", "Synthesizing Equipment")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
SOURCE_SERIES = Code("121323", "DCM", "Source series for image processing operation")
COMPUTED_TOMOGRAPHY = Code("CT", "DCM", "Computed Tomography")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
MORPHOLOGICAL_OPERATIONS = Code("123104", "DCM", "Morphological Operations")

GRAMS_PER_ML = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME_DESIGNATOR, meaning)


DENOISED = _own("DEN", "Denoised by a neural network")
SYNTHETIC_CT = _own("SCT", "CT numbers predicted from MR by a neural network")
VIRTUAL_CONTRAST = _own("VCE", "Contrast enhancement predicted by a neural network")
SYNTHETIC_PET = _own("SPET", "FDG PET predicted by a neural network")
QUALITY_VERDICT = _own("QCV", "Quality control verdict")
QUALITY_REASON = _own("QCR", "Reason for the quality control verdict")
INTENDED_USE = _own("USE", "Intended use")
RESEARCH_ONLY = _own("RESEARCH", "Research use only, not for primary diagnosis")
INPUT_DISTANCE = _own("OOD", "Distance of the input from the training data")
MODEL_OUTPUT = _own("OUT", "Synthetic output of a model")

VERDICTS = {
    "GREEN": _own("GREEN", "Within the range that the model was tested in"),
    "AMBER": _own("AMBER", "Usable with care: at the edge of the tested range"),
    "RED": _own("RED", "Held for a person: outside the tested range"),
    "UNGATED": _own("UNGATED", "Made without the applicability gate, for research"),
}
"""QC verdict to the code that says it."""

# Measurements of the QC report: name in the pipeline's record -> code.
MEASUREMENTS = {
    "input_distance": INPUT_DISTANCE,
    "noise_before_hu": _own("NOISE_IN", "Noise of the input"),
    "noise_after_hu": _own("NOISE_OUT", "Noise of the output"),
}
"""Names of measurements that have a code of their own; others get one made of their name."""


def measurement_code(name: str) -> Code:
    """The coded name of a measurement of the pipeline's record."""
    known = MEASUREMENTS.get(name)
    # PS3.5 6.2: Code Value is a Short String of 16 characters at most, meaning a Long String.
    return known or _own(name.upper()[:16], name.replace("_", " ")[:64])


def code_item(code: Code) -> Dataset:
    """A coded entry as a sequence item (PS3.3 table 8.8-1)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def code_sequence(codes: Iterable[Code]) -> Sequence:
    """Coded entries as a sequence."""
    return Sequence([code_item(code) for code in codes])


def coding_scheme_identification() -> Sequence:
    """Items of (0008,0110) for the schemes that our objects use (PS3.3 C.12.1)."""
    dcm, own = Dataset(), Dataset()
    dcm.CodingSchemeDesignator = "DCM"
    dcm.CodingSchemeRegistry = "HL7"
    dcm.CodingSchemeUID = DCM_SCHEME_UID
    dcm.CodingSchemeName = "DICOM Controlled Terminology"
    own.CodingSchemeDesignator = SCHEME_DESIGNATOR
    own.CodingSchemeUID = SCHEME_UID
    own.CodingSchemeName = "Virtual Scanner derivations and quality control"
    own.CodingSchemeVersion = SCHEME_VERSION
    own.CodingSchemeResponsibleOrganization = "Virtual Scanner"
    return Sequence([dcm, own])
