"""QC and provenance report: Comprehensive 3D SR, TID 1500 (PS3.16 annex A).

Says in coded form what made the series, from what, how well it seems to have gone
and what it is for. highdicom makes the tree; the long lists of images are plain
items, because thousands of them are no work for a template.
"""

from __future__ import annotations

import math
from pathlib import Path

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code
from pydicom.uid import UID, CTImageStorage

from dicom_profiles import codes, uids
from dicom_profiles.companions import UNSET_UID, CompanionKind, references, write_companions
from dicom_profiles.derived import DerivedSeries, synthesis_time
from dicom_profiles.equipment import DEVICE_SERIAL_NUMBER, MANUFACTURER, MODEL_NAME, NODE_DEVICE_UID
from dicom_profiles.provenance import Derivation
from dicom_profiles.series import SourceSeries

REPORT = CompanionKind("QC", 7, "QC / provenance report")
NO_UNIT = Code("1", "UCUM", "no units")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
CONTAINS = sr.RelationshipTypeValues.CONTAINS
HAS_CONTEXT = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT
LARGEST_NUMBER = 1e15
"""A Numeric Value is a decimal string of 16 characters; nothing measured is as large."""


def write_qc_report(
    source: SourceSeries, derived: DerivedSeries, derivation: Derivation, folder: Path
) -> DerivedSeries:
    """Write the report of one derived series, one file.

    Args:
        source: the series that was read.
        derived: the series that was written.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; the file is named QC-0001.dcm.
    """
    header = source.headers[0]
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=[_evidence_header(header)],
        content=_report(derived, derivation),
        series_instance_uid=REPORT.series_uid(derived.series_instance_uid),
        series_number=1,
        sop_instance_uid=UNSET_UID,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
    )
    items = list(ds.ContentSequence)
    # PS3.16 TID 1500: the image library stands before the measurements, which come last.
    items.insert(len(items) - 1, _image_library(source, derived))
    ds.ContentSequence = Sequence(items)
    ds.ContentDate, ds.ContentTime = synthesis_time(header, derivation)
    ds.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(source, derived)])
    return write_companions([ds], REPORT, header, derivation, folder)


def _report(derived: DerivedSeries, derivation: Derivation) -> sr.MeasurementReport:
    """The tree without its images: observer, procedure, measurements."""
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(derivation)),
        procedure_reported=dictionary.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[_measurements(derived, derivation)],
        title=dictionary.DCM.ImagingMeasurementReport,
    )


def _observer(derivation: Derivation) -> sr.ObserverContext:
    return sr.ObserverContext(
        observer_type=dictionary.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=NODE_DEVICE_UID,
            name=derivation.ae_title,
            manufacturer_name=MANUFACTURER,
            model_name=MODEL_NAME,
            serial_number=DEVICE_SERIAL_NUMBER,
        ),
    )


def _measurements(
    derived: DerivedSeries, derivation: Derivation
) -> sr.MeasurementsAndQualitativeEvaluations:
    """TID 1501: figures, verdict and use, each by an identified algorithm."""
    algorithm = _algorithm(derivation)
    figures = {"input_distance": derivation.input_distance, **_figures(derivation)}
    reasons = derivation.record.get("reasons")
    evaluations = [
        sr.QualitativeEvaluation(codes.QUALITY_VERDICT, codes.VERDICTS[derivation.qc_verdict]),
        sr.QualitativeEvaluation(codes.INTENDED_USE, codes.RESEARCH_ONLY),
    ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uids.derive_uid("tracking", derived.series_instance_uid),
            identifier=f"{derived.kind} quality",
        ),
        finding_type=codes.MODEL_OUTPUT,
        algorithm_id=algorithm,
        measurements=[
            sr.Measurement(codes.measurement_code(name), value, _unit(name))
            for name, value in sorted(figures.items())
        ],
        qualitative_evaluations=evaluations,
    )
    for reason in reasons if isinstance(reasons, list) else []:
        group[0].ContentSequence.append(_reason(str(reason)))
    return group


def _figures(derivation: Derivation) -> dict[str, float]:
    """The measurements of the pipeline's record that are numbers."""
    found = derivation.record.get("measurements")
    if not isinstance(found, dict):
        return {}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST_NUMBER
    }


def _unit(name: str) -> Code:
    return HOUNSFIELD if name.endswith("_hu") else NO_UNIT


def _algorithm(derivation: Derivation) -> sr.AlgorithmIdentification:
    """TID 4019: name, version, and the digests as parameters."""
    model = derivation.model
    return sr.AlgorithmIdentification(
        name=model.name,
        version=model.version,
        parameters=[
            f"weights_sha256={model.weights_sha256}",
            f"config_sha256={derivation.config_sha256}",
            f"trained_on_simulation={str(model.trained_on_simulation).lower()}",
        ],
        family=codes.ARTIFICIAL_INTELLIGENCE,
    )


def _reason(sentence: str) -> sr.TextContentItem:
    return sr.TextContentItem(
        name=codes.QUALITY_REASON,
        value=sentence.encode("ascii", "replace").decode(),
        relationship_type=CONTAINS,
    )


def _image_library(source: SourceSeries, derived: DerivedSeries) -> Dataset:
    """TID 1600: one group for the sources and one for what was made of them."""
    library = _container(dictionary.DCM.ImageLibrary)
    library.ContentSequence = Sequence(
        [
            _library_group(source, source.sop_instance_uids),
            _library_group(source, derived.sop_instance_uids),
        ]
    )
    return library


def _library_group(source: SourceSeries, instances: tuple[str, ...]) -> Dataset:
    """TID 1602 descriptors that the images share, then the images."""
    group = _container(dictionary.DCM.ImageLibraryGroup)
    shared: list[Dataset] = [
        sr.CodeContentItem(dictionary.DCM.Modality, codes.COMPUTED_TOMOGRAPHY, HAS_CONTEXT),
        sr.NumContentItem(dictionary.DCM.PixelDataRows, source.shape[1], PIXELS, None, HAS_CONTEXT),
        sr.NumContentItem(
            dictionary.DCM.PixelDataColumns, source.shape[2], PIXELS, None, HAS_CONTEXT
        ),
    ]
    if source.frame_of_reference:
        shared.append(
            sr.UIDRefContentItem(
                dictionary.DCM.FrameOfReferenceUID, source.frame_of_reference, HAS_CONTEXT
            )
        )
    group.ContentSequence = Sequence([*shared, *map(_image_item, instances)])
    return group


def _container(name: Code) -> Dataset:
    """A container as a plain data set, which takes items without concept names."""
    return Dataset(sr.ContainerContentItem(name, relationship_type=CONTAINS))


def _image_item(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE"
    item.ReferencedSOPSequence = references(CTImageStorage, [sop_instance_uid])
    return item


def _evidence(source: SourceSeries, derived: DerivedSeries) -> Dataset:
    """Every image that the report refers to (PS3.3 C.17.2.3)."""
    series = []
    for uid, instances in (
        (source.series_instance_uid, source.sop_instance_uids),
        (derived.series_instance_uid, derived.sop_instance_uids),
    ):
        item = Dataset()
        item.SeriesInstanceUID = UID(uid)
        item.ReferencedSOPSequence = references(CTImageStorage, instances)
        series.append(item)
    study = Dataset()
    study.StudyInstanceUID = UID(source.study_instance_uid)
    study.ReferencedSeriesSequence = Sequence(series)
    return study


def _evidence_header(header: Dataset) -> Dataset:
    """What highdicom reads of a source; the patient is copied to the letter later."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = header.StudyInstanceUID, header.SeriesInstanceUID
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        setattr(ds, keyword, None)
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
        setattr(ds, keyword, None)
    return ds
