from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydicom import config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_profiles.ct_denoised import DENOISED_CT
from dicom_profiles.derived import (
    derivation_description,
    encoded_references,
    identification,
    series_description,
    series_number,
    source_references,
    synthesis_time,
    utc_offset,
)
from dicom_profiles.encoding.part10 import ElementEncoder
from dicom_profiles.provenance import Derivation
from tests.synthetic import write_ct_dataset


@pytest.mark.parametrize(
    ("own", "wanted"), [(3, 93_003), (None, 93_000), (0, 93_000), (-1, 93_000), (2**31 - 1, 93_000)]
)
def test_derived_series_sort_after_acquired_ones(own: int | None, wanted: int) -> None:
    assert series_number(write_ct_dataset(SeriesNumber=own), 3) == wanted


def test_a_series_number_that_no_integer_string_holds_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)  # as we read
    source, digits = write_ct_dataset(), b"9" * 400
    source["SeriesNumber"] = RawDataElement(
        Tag("SeriesNumber"), "IS", len(digits), digits, 0, False, True
    )
    assert series_number(source, 3) == 93_000


@pytest.mark.parametrize(
    ("called", "wanted"),
    [
        ("LOW DOSE CHEST", "SYNTHETIC DENOISED LOW DOSE CHEST"),
        ("", "SYNTHETIC DENOISED"),
        ("x" * 64, "SYNTHETIC DENOISED " + "x" * 45),
        ("Brust nativ für Ärzte", "SYNTHETIC DENOISED Brust nativ für Ärzte"),
        ("broken \N{REPLACEMENT CHARACTER}", "SYNTHETIC DENOISED"),
    ],
)
def test_the_description_begins_with_the_label(called: str, wanted: str) -> None:
    ds = write_ct_dataset(SeriesDescription=called)
    assert series_description(ds, "DENOISED") == wanted


def test_the_derivation_is_told_in_a_sentence(derivation: Derivation) -> None:
    text = derivation_description(DENOISED_CT, derivation)
    assert text.isascii()
    assert len(text) <= 1024
    for part in ("SYNTHETIC", "ldct_denoise 1.0", "ab" * 8, "AMBER", "simulated", "Research use"):
        assert part in text


def test_what_was_made_without_the_gate_says_so(derivation: Derivation) -> None:
    text = derivation_description(DENOISED_CT, replace(derivation, qc_verdict="UNGATED"))
    assert "without the applicability gate" in text


@pytest.mark.parametrize(
    ("offset", "wanted"),
    [
        (None, ("20260301", "223015")),
        ("+0200", ("20260302", "003015")),
        ("-0330", ("20260301", "190015")),
        ("nonsense", ("20260301", "223015")),
    ],
)
def test_synthesis_is_dated_in_the_zone_of_the_source(
    derivation: Derivation, offset: str | None, wanted: tuple[str, str]
) -> None:
    created = replace(derivation, created=datetime(2026, 3, 1, 22, 30, 15, tzinfo=UTC))
    ds = Dataset()
    if offset is not None:
        ds.add_new("TimezoneOffsetFromUTC", "SH", offset)
    assert synthesis_time(ds, created) == wanted


def test_no_zone_is_invented() -> None:
    assert utc_offset(Dataset()) is None


def test_every_object_names_the_node_and_says_synthetic(derivation: Derivation) -> None:
    ds = identification(write_ct_dataset(), derivation)
    assert (ds.SyntheticData, ds.ContentQualification) == ("YES", "RESEARCH")
    assert ds.InstanceOriginStatus == "LOCAL"
    assert len(ds.ContributingEquipmentSequence) == 2


def test_a_slice_names_its_source() -> None:
    source = write_ct_dataset()
    ds = source_references(source)
    (item,) = ds.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert item.SpatialLocationsPreserved == "YES"
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert ds.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID


@pytest.mark.parametrize("inputs", [1, 2])
def test_references_encoded_directly_are_the_same(inputs: int) -> None:
    headers = [write_ct_dataset() for _ in range(inputs)]
    headers[-1].SeriesInstanceUID = "1.2.9"
    encoded = ElementEncoder(None).encode(source_references(*headers))
    assert encoded_references(*headers) == encoded
