"""Step 3: the derived objects, in the order in which they are sent: images, report, label.

What else a pipeline gives (masks, a parametric map) follows the images.
"""

from __future__ import annotations

from collections.abc import Mapping

from dicom_profiles.derived import DerivedSeries
from dicom_profiles.encoding.ready import ReadyImages
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.writers import writer_for
from node.steps.folder import JSON, JobFolder, StepError, WrittenSeries
from node.steps.translate import read_companions, refuse_other_model, translated_slices
from pipelines import catalog

UNGATED = "UNGATED"


def write_step(job: JobFolder) -> list[WrittenSeries]:
    """Write every derived object, unless that has been done."""
    done = job.written
    if done is not None:
        return done
    record = job.record
    if record is None:
        raise StepError("Derived objects need a finished translation, this job has none.")
    refuse_other_model(job, catalog.card(job.input.pipeline))  # updated since the translation?
    derivation = derivation_of(job, record)
    write = writer_for(job.input.pipeline)
    slices = ReadyImages(translated_slices(job.translated), job.ready)
    companions = read_companions(job.companions)
    derived = write(job.sources, slices, companions, derivation, job.derived)
    report = write_qc_report(job.sources, derived, derivation, job.derived)
    label = write_label(job.sources, derived[0], derivation, job.derived)
    written = [_written(series) for series in (*derived, report, label)]
    job.set_written(written)
    job.ready = {}
    return written


def derivation_of(job: JobFolder, record: Mapping[str, JSON]) -> Derivation:
    """What the writers need beside pixels."""
    card = catalog.card(job.input.pipeline)
    return Derivation(
        model=ModelIdentity(
            name=card.name,
            version=card.version,
            weights_sha256=card.weights.sha256,
            trained_on_simulation=card.training.on_simulation(record["model"].get("network")),
        ),
        parameters=dict(record["parameters"]),
        record=record,
        qc_verdict=UNGATED if job.input.ungated else str(record["verdict"]),
        input_distance=float(record["input_distance"]),
        created=job.input.created,
        ae_title=job.input.ae_title,
    )


def _written(series: DerivedSeries) -> WrittenSeries:
    return WrittenSeries(
        series.series_instance_uid,
        series.kind,
        tuple(series.paths),
        tuple(series.sop_instance_uids),
    )
