from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.uids import JSON
from tests.dicom_profiles.conftest import Written
from tests.dicom_profiles.validators import dciodvfy_errors, strict_faults


def walk(ds: Dataset) -> Iterator[Dataset]:
    for item in ds.get("ContentSequence") or []:
        yield item
        yield from walk(item)


def by_concept(ds: Dataset) -> dict[str, list[Dataset]]:
    found: dict[str, list[Dataset]] = {}
    for item in walk(ds):
        for name in item.get("ConceptNameCodeSequence") or []:
            found.setdefault(name.CodeValue, []).append(item)
    return found


@pytest.fixture
def report(written: Written) -> Dataset:
    return pydicom.dcmread(written.report.paths[0])


def test_validators_find_no_error(written: Written) -> None:
    assert dciodvfy_errors(written.report.paths[0]) == []
    strict_faults(written.report.paths[0])


def test_it_follows_tid_1500(report: Dataset) -> None:
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    order = [item.ConceptNameCodeSequence[0].CodeValue for item in report.ContentSequence]
    assert order[-2:] == ["111028", "126010"]  # image library, imaging measurements


def test_it_is_preliminary_and_synthetic(report: Dataset) -> None:
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.SyntheticData == "YES"
    assert report.SeriesDescription.startswith("SYNTHETIC")


def test_it_gives_the_figures_of_the_record(report: Dataset) -> None:
    concepts = by_concept(report)
    figures = {
        code: float(items[0].MeasuredValueSequence[0].NumericValue)
        for code, items in concepts.items()
        if items[0].ValueType == "NUM" and "MeasuredValueSequence" in items[0]
    }
    assert figures["NOISE_IN"] == 30.5
    assert figures["NOISE_OUT"] == 12.25
    assert figures["OOD"] == 1.5
    unit = concepts["NOISE_IN"][0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    assert unit.CodeValue == "[hnsf'U]"


def test_it_gives_the_verdict_the_reason_and_the_use(report: Dataset) -> None:
    concepts = by_concept(report)
    assert concepts["QCV"][0].ConceptCodeSequence[0].CodeValue == "AMBER"
    assert concepts["USE"][0].ConceptCodeSequence[0].CodeValue == "RESEARCH"
    assert concepts["QCR"][0].TextValue == "The noise is high."


def test_it_identifies_the_algorithm_by_its_digests(report: Dataset) -> None:
    texts = [item.TextValue for item in walk(report) if item.ValueType == "TEXT"]
    assert "ldct_denoise" in texts
    assert f"weights_sha256={'ab' * 32}" in texts


def test_a_device_observed_and_software_that_learnt_was_the_algorithm(report: Dataset) -> None:
    concepts = by_concept(report)
    assert concepts["121005"][0].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert concepts["121013"][0].TextValue == "VSCANNER"
    assert concepts["111000"][0].ConceptCodeSequence[0].CodeMeaning == "Artificial Intelligence"


def test_it_lists_every_image(report: Dataset, written: Written) -> None:
    wanted = {*written.source.sop_instance_uids, *written.images.sop_instance_uids}
    listed = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
              for item in walk(report) if item.ValueType == "IMAGE"]  # fmt: skip
    assert len(listed) == 10
    assert set(listed) == wanted
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    evidence = {
        item.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert evidence == wanted


def test_patient_and_study_are_copied(report: Dataset, written: Written) -> None:
    source = written.source.headers[0]
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber"):
        assert report[keyword] == source[keyword]


def test_a_repeat_gives_the_same_bytes(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    again = write_qc_report(written.sources, [written.images], derivation, tmp_path)
    assert again.paths[0].read_bytes() == written.report.paths[0].read_bytes()


def test_figures_have_the_units_that_their_names_say(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    figures: JSON = {"mean_suvbw": 0.6, "body_l": 4.4, "largest_jump_hu": 2.0, "seam_ratio": 1.2}
    other = replace(derivation, record={"measurements": figures})
    series = write_qc_report(written.sources, [written.images], other, tmp_path)
    assert dciodvfy_errors(series.paths[0]) == []
    concepts = by_concept(pydicom.dcmread(series.paths[0]))
    units = [
        concepts[name][0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
        for name in ("MEAN_SUVBW", "BODY_L", "LARGEST_JUMP_HU", "SEAM_RATIO")
    ]
    assert units == ["g/ml{SUVbw}", "l", "[hnsf'U]", "1"]


@pytest.mark.parametrize(
    "record", [{}, {"measurements": {"odd": float("nan"), "name": "text"}, "reasons": "none"}]
)
def test_a_record_without_figures_still_makes_a_report(
    tmp_path: Path, written: Written, derivation: Derivation, record: dict[str, object]
) -> None:
    other = replace(derivation, record=record, qc_verdict="UNGATED")  # type: ignore[arg-type]
    series = write_qc_report(written.sources, [written.images], other, tmp_path)
    assert dciodvfy_errors(series.paths[0]) == []
    assert (
        by_concept(pydicom.dcmread(series.paths[0]))["QCV"][0].ConceptCodeSequence[0].CodeValue
        == "UNGATED"
    )
