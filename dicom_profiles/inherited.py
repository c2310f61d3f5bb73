"""What a derived CT takes over from its source, and nothing else: tables.

An allow-list: whatever is not here (private elements, procedure step attributes,
operators, icons, signatures, original attributes, retrieval data) is not inherited.
"""

from __future__ import annotations

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

PATIENT_AND_STUDY = (
    "SpecificCharacterSet",  # PS3.3 C.12.1
    "TimezoneOffsetFromUTC",
    # PS3.3 C.7.1.1 Patient
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "EthnicGroup",
    "PatientComments",
    "QualityControlSubject",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    # PS3.3 C.7.1.3 and C.7.2.3 Clinical Trial Subject and Study
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    # PS3.3 C.7.2.1 General Study
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "StudyDescription",
    "ProcedureCodeSequence",
    # PS3.3 C.7.2.2 Patient Study
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientSexNeutered",
    "MedicalAlerts",
    "Allergies",
    "SmokingStatus",
    "PregnancyStatus",
    "LastMenstrualDate",
    "PatientState",
    "AdditionalPatientHistory",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
)
"""One value for the whole study; taken from the first slice."""

PLACE = (
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "PatientPosition",
    "GantryDetectorTilt",
)
"""Geometry, copied to the letter: fusion, segmentations and radiotherapy depend on it."""

ACQUISITION = (
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "IrradiationEventUID",
    "BodyPartExamined",
    "Laterality",
    "AnatomicRegionSequence",
    "ScanOptions",
    # PS3.3 C.8.2.1: still true of the photons behind the pixels
    "KVP",
    "ExposureTime",
    "XRayTubeCurrent",
    "Exposure",
    "ExposureInuAs",
    "FilterType",
    "FilterMaterial",
    "GeneratorPower",
    "FocalSpots",
    "ConvolutionKernel",
    "RevolutionTime",
    "SingleCollimationWidth",
    "TotalCollimationWidth",
    "TableHeight",
    "TableSpeed",
    "TableFeedPerRotation",
    "SpiralPitchFactor",
    "RotationDirection",
    "ExposureModulationType",
    "EstimatedDoseSaving",
    "CTDIvol",
    "CTDIPhantomTypeCodeSequence",
    "WaterEquivalentDiameter",
    "WaterEquivalentDiameterCalculationMethodCodeSequence",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "DataCollectionDiameter",
    "ReconstructionDiameter",
    "DataCollectionCenterPatient",
    "ReconstructionTargetCenterPatient",
    # PS3.3 C.7.6.4 Contrast/Bolus
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
    "ContrastBolusAdministrationRouteSequence",
    "ContrastBolusVolume",
    "ContrastBolusStartTime",
    "ContrastBolusStopTime",
    "ContrastBolusTotalDose",
    "ContrastFlowRate",
    "ContrastFlowDuration",
    "ContrastBolusIngredient",
    "ContrastBolusIngredientConcentration",
)
"""How the data were acquired; may differ from slice to slice."""

EMPTY_WHEN_ABSENT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Type 2 of Patient and General Study: zero length when the source lacks them."""

TRIAL = ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialSubjectID")
"""One of these makes a Clinical Trial Subject module (PS3.3 C.7.1.3)."""

EMPTY_IN_A_TRIAL_WHEN_ABSENT = (
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
)
"""Its type 2 attributes."""

EMPTY_IN_CT_WHEN_ABSENT = (
    "PositionReferenceIndicator",
    "PatientPosition",
    "AcquisitionNumber",
    "KVP",
    "SliceThickness",
    "InstanceNumber",
)
"""Type 2 and 2C of a CT image besides."""


UNPAIRED_BODY_PARTS = frozenset(
    {"ABDOMEN", "CHEST", "CSPINE", "HEAD", "HEART", "LIVER", "LSPINE", "NECK", "PELVIS", "SKULL",
     "SPINE", "TSPINE", "WHOLEBODY", "BRAIN", "PANCREAS", "SPLEEN", "CHESTABDOMEN", "ABDOMENPELVIS",
     "CHESTABDPELVIS"}
)  # fmt: skip
"""Body Part Examined that has no left and right (PS3.16 annex L)."""


def tags(keywords: tuple[str, ...]) -> frozenset[BaseTag]:
    """Tags of keywords."""
    found = []
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise KeyError(keyword)
        found.append(Tag(tag))
    return frozenset(found)


STUDY_TAGS = tags(PATIENT_AND_STUDY)
SLICE_TAGS = tags((*PLACE, *ACQUISITION, "InstanceNumber"))
SPACING = tags(("SpacingBetweenSlices",))
THICKNESS = tags(("SliceThickness",))


STUDY_DATES = tuple(k for k in PATIENT_AND_STUDY if dictionary_VR(k) == "DA")
ACQUISITION_DATES = tuple(k for k in ACQUISITION if dictionary_VR(k) in ("DA", "DT"))
"""What is taken over and is a date."""


def not_to_inherit(header: Dataset) -> frozenset[BaseTag]:
    """What this source says against the standard and a copy may leave out.

    Scanners count their slices backwards by a negative distance, which is for nuclear medicine
    alone (PS3.3 C.7.6.2.1), and say a thickness of 0 that they do not know: it may be empty.
    """
    backwards = str(header.get("SpacingBetweenSlices") or "").strip().startswith("-")
    unknown = "SliceThickness" in header and not header.SliceThickness
    return (SPACING if backwards else frozenset()) | (THICKNESS if unknown else frozenset())


def empty_elements(source: Dataset) -> Dataset:
    """Type 2 attributes of patient and study, with zero length; Laterality where it may matter."""
    ds = Dataset()
    in_trial = any(keyword in source for keyword in TRIAL)
    for keyword in EMPTY_WHEN_ABSENT + (EMPTY_IN_A_TRIAL_WHEN_ABSENT if in_trial else ()):
        setattr(ds, keyword, None)
    # PS3.3 C.7.3.1: 2C, absent only where the body part is known and not paired.
    if str(source.get("BodyPartExamined") or "").upper() not in UNPAIRED_BODY_PARTS:
        ds.Laterality = None
    return ds


def empty_ct_elements(source: Dataset) -> Dataset:
    """Type 2 attributes of a CT image, with zero length."""
    ds = empty_elements(source)
    for keyword in EMPTY_IN_CT_WHEN_ABSENT:
        setattr(ds, keyword, None)
    return ds
