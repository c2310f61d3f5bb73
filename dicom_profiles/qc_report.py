"""QC and provenance report: Comprehensive 3D SR, TID 1500 (PS3.16 annex A).

Says in coded form what made the series, from what, how well it seems to have gone
and what it is for. highdicom makes the tree; the long lists of images are plain
items, because thousands of them are no work for a template.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Listing
from dataclasses import dataclass, replace
from pathlib import Path

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code
from pydicom.uid import UID, Comprehensive3DSRStorage

from dicom_profiles import codes, uids
from dicom_profiles.companions import OURS, CompanionKind, references, write_companions
from dicom_profiles.derived import DerivedSeries, synthesis_time
from dicom_profiles.equipment import DEVICE_SERIAL_NUMBER, MANUFACTURER, MODEL_NAME, NODE_DEVICE_UID
from dicom_profiles.provenance import Derivation
from dicom_profiles.sources.source import Source, Sources, reference_of
from dicom_profiles.storage import STORAGE_CLASSES

REPORT = CompanionKind("QC", 7, "QC / provenance report")
NO_UNIT = Code("1", "UCUM", "no units")
UNITS = {
    "hu": Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "suvbw": codes.GRAMS_PER_ML,
    "l": Code("l", "UCUM", "liter"),
}
"""Last word of a measurement's name to its unit."""
PROCEDURES = {
    "CT": dictionary.LN.CTUnspecifiedBodyRegion,
    "MR": dictionary.LN.MRIUnspecifiedBodyRegion,
    "MG": dictionary.LN.BreastUnilateralMammogram,
}
"""Modality of the source to the procedure that is reported on (PS3.16 CID 100)."""
MODALITIES = {
    "CT": codes.COMPUTED_TOMOGRAPHY,
    "MR": dictionary.DCM.MagneticResonance,
    "MG": dictionary.DCM.Mammography,
    "PT": dictionary.DCM.PositronEmissionTomography,
    "SEG": dictionary.DCM.Segmentation,
    "OT": dictionary.DCM.OtherModality,
}
"""Modality to its coded name (PS3.16 CID 29)."""
PIXELS = Code("{pixels}", "UCUM", "Pixels")
CONTAINS = sr.RelationshipTypeValues.CONTAINS
HAS_CONTEXT = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT


def write_qc_report(
    sources: Sources, derived: Listing[DerivedSeries], derivation: Derivation, folder: Path
) -> DerivedSeries:
    """Write the report of what was derived from these sources, one file.

    Args:
        sources: what was read, by input key.
        derived: the series that were written, the images first.
        derivation: model, parameters, record, verdict, time.
        folder: made when absent; the file is named QC-0001.dcm.
    """
    images, header = derived[0], reference_of(sources).headers[0]
    ds = _document(images, header, derivation)
    items = list(ds.ContentSequence)
    # PS3.16 TID 1500: the image library stands before the measurements, which come last.
    items.insert(len(items) - 1, _image_library(sources, derived))
    ds.ContentSequence = Sequence(items)
    ds.ContentDate, ds.ContentTime = synthesis_time(header, derivation)
    ds.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(sources, derived)])
    return replace(
        write_companions([ds], REPORT, header, derivation, folder),
        sop_class_uid=Comprehensive3DSRStorage,
    )


def _document(images: DerivedSeries, header: Dataset, derivation: Derivation) -> Dataset:
    """The document as highdicom builds it, without its images."""
    return sr.Comprehensive3DSR(
        evidence=[_evidence_header(header)],
        content=_report(images, header, derivation),
        series_instance_uid=REPORT.series_uid(images.series_instance_uid),
        is_complete=True,
        is_final=False,
        **OURS,
    )


def _report(
    derived: DerivedSeries, header: Dataset, derivation: Derivation
) -> sr.MeasurementReport:
    """The tree without its images: observer, procedure, measurements."""
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(derivation)),
        procedure_reported=PROCEDURES.get(str(header.get("Modality")), PROCEDURES["CT"]),
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
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _unit(name: str) -> Code:
    return UNITS.get(name.rpartition("_")[2], NO_UNIT)


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


def _image_library(sources: Sources, derived: Listing[DerivedSeries]) -> Dataset:
    """TID 1600: one group for each source and one for each series that was made of them."""
    place = reference_of(sources)
    library = _container(dictionary.DCM.ImageLibrary)
    library.ContentSequence = Sequence(
        [
            *(_library_group(each, _listed(each)) for each in sources.values()),
            *(_library_group(place, _made(series)) for series in derived),
        ]
    )
    return library


@dataclass(frozen=True)
class _Listed:
    """Instances of one series and class."""

    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uids: tuple[str, ...]


def _listed(source: Source) -> _Listed:
    sop_class = str(source.headers[0].SOPClassUID)
    return _Listed(source.series_instance_uid, sop_class, source.sop_instance_uids)


def _made(series: DerivedSeries) -> _Listed:
    return _Listed(series.series_instance_uid, series.sop_class_uid, series.sop_instance_uids)


def _library_group(place: Source, listed: _Listed) -> Dataset:
    """TID 1602 descriptors that the images share, then the images."""
    group = _container(dictionary.DCM.ImageLibraryGroup)
    modality = MODALITIES[STORAGE_CLASSES[UID(listed.sop_class_uid)]]
    shared: list[Dataset] = [
        sr.CodeContentItem(dictionary.DCM.Modality, modality, HAS_CONTEXT),
        sr.NumContentItem(dictionary.DCM.PixelDataRows, place.shape[1], PIXELS, None, HAS_CONTEXT),
        sr.NumContentItem(
            dictionary.DCM.PixelDataColumns, place.shape[2], PIXELS, None, HAS_CONTEXT
        ),
    ]
    if place.frame_of_reference:
        shared.append(
            sr.UIDRefContentItem(
                dictionary.DCM.FrameOfReferenceUID, place.frame_of_reference, HAS_CONTEXT
            )
        )
    items = [_image_item(listed.sop_class_uid, uid) for uid in listed.sop_instance_uids]
    group.ContentSequence = Sequence([*shared, *items])
    return group


def _container(name: Code) -> Dataset:
    """A container as a plain data set, which takes items without concept names."""
    return Dataset(sr.ContainerContentItem(name, relationship_type=CONTAINS))


def _image_item(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE"
    item.ReferencedSOPSequence = references(sop_class_uid, [sop_instance_uid])
    return item


def _evidence(sources: Sources, derived: Listing[DerivedSeries]) -> Dataset:
    """Every image that the report refers to, one item a series (PS3.3 C.17.2.3)."""
    items: dict[str, Dataset] = {}
    for listed in (*map(_listed, sources.values()), *map(_made, derived)):
        item = items.setdefault(listed.series_instance_uid, Dataset())
        item.SeriesInstanceUID = UID(listed.series_instance_uid)
        named = references(listed.sop_class_uid, listed.sop_instance_uids)
        item.ReferencedSOPSequence = Sequence([*item.get("ReferencedSOPSequence", ()), *named])
    study = Dataset()
    study.StudyInstanceUID = UID(reference_of(sources).study_instance_uid)
    study.ReferencedSeriesSequence = Sequence(list(items.values()))
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
