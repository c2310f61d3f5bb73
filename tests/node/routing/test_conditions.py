from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence

from node.routing.conditions import ConditionError, parse_condition, parse_conditions, values_of


def header(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


CT = header(
    Modality="CT",
    SeriesDescription="LOW DOSE CHEST 3.0",
    ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
    SliceThickness="3.0",
    KVP="120",
    InstanceNumber=7,
    StationName="007",
    PatientID="SECRET-1",
    ContrastBolusAgent="",
)
PT = header(Modality="PT")


@pytest.mark.parametrize(
    ("keyword", "wanted", "holds"),
    [
        ("Modality", "CT", True),
        ("Modality", "MR", False),
        ("Modality", ["MR", "CT"], True),
        ("Modality", ["MR", "PT"], False),
        ("SeriesDescription", {"matches": "(?i)low.?dose"}, True),
        ("SeriesDescription", {"matches": "^DOSE"}, False),
        ("SliceThickness", 3, True),
        ("SliceThickness", "3", True),
        ("SliceThickness", {"range": [1, 3]}, True),
        ("SliceThickness", {"range": [3.1, 5]}, False),
        ("SliceThickness", {"at_least": 3}, True),
        ("SliceThickness", {"at_least": 1, "at_most": 2}, False),
        ("KVP", {"at_most": 100}, False),
        ("KVP", 120, True),
        ("StationName", "7", False),
        ("StationName", "007", True),
        ("ImageType", "AXIAL", True),
        ("ImageType", {"not": "DERIVED"}, True),
        ("ImageType", {"not": "AXIAL"}, False),
        ("ImageType", {"matches": r"ORIGINAL\\PRIMARY"}, True),
        ("ContrastBolusAgent", {"present": False}, True),
        ("ContrastBolusAgent", {"present": True}, False),
        ("CTDIvol", {"present": False}, True),
        ("CTDIvol", {"at_least": 0}, False),
        ("CTDIvol", {"not": {"at_least": 0}}, True),
        ("PatientID", {"present": True}, True),
        ("source_ae", "SCANNER", True),
        ("source_ae", {"matches": "^SCAN"}, True),
        ("instances", {"at_least": 2}, False),
        ("instances", 1, True),
    ],
)
def test_one_image(keyword: str, wanted: Any, holds: bool) -> None:
    assert parse_condition(keyword, wanted).evaluate([CT], "SCANNER").holds is holds


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ("CT", False),
        ({"all": "CT"}, False),
        ({"any": "CT"}, True),
        ({"any": "MR"}, False),
        ({"not": {"any": "MR"}}, True),
        ({"not": {"any": "CT"}}, False),
        ({"not": {"all": "CT"}}, True),
        ({"not": "CT"}, False),
    ],
)
def test_over_several_images(wanted: Any, holds: bool) -> None:
    assert parse_condition("Modality", wanted).evaluate([CT, CT, PT], "X").holds is holds


def test_the_finding_says_wanted_and_found() -> None:
    finding = parse_condition("Modality", ["MR", "PT"]).evaluate([CT, CT, PT], "X")
    assert finding.wanted == "one of MR, PT"
    assert finding.found == "CT (2 of 3), PT (1 of 3)"


def test_a_patient_attribute_is_never_repeated() -> None:
    finding = parse_condition("PatientID", "SECRET-1").evaluate([CT, PT], "X")
    assert finding.found == "present (1 of 2), absent (1 of 2)"


@pytest.mark.parametrize(
    "keyword",
    [
        "(0010,0010)",
        "(0010,1000)",
        "ReferringPhysicianName",
        "AdmissionID",
        "ReferencedPatientSequence",
        "ReferencedPatientSequence.PatientName",
    ],
)
def test_no_way_of_writing_it_repeats_a_patient_or_a_person(keyword: str) -> None:
    ds, item = Dataset(), Dataset()
    ds.PatientName = ds.OtherPatientIDs = ds.ReferringPhysicianName = ds.AdmissionID = "SECRET"
    item.PatientName = "SECRET"
    ds.ReferencedPatientSequence = [item]
    assert parse_condition(keyword, "x").evaluate([ds], "X").found == "present (1 of 1)"


def test_sequences_and_private_elements() -> None:
    ds = header(Modality="PT")
    item = header(RadionuclideTotalDose="2.5e8")
    ds.RadiopharmaceuticalInformationSequence = Sequence([item])
    ds.add(DataElement(0x00190010, "LO", "MAKER"))
    ds.add(DataElement(0x00191002, "UN", b"5 "))
    keyword = "RadiopharmaceuticalInformationSequence.RadionuclideTotalDose"
    assert values_of(ds, keyword) == (2.5e8,)
    assert parse_condition(keyword, {"at_least": 1e8}).evaluate([ds], "X").holds
    assert parse_condition("(0019,1002)", 5).evaluate([ds], "X").holds
    assert not parse_condition("(0019,1003)", 5).evaluate([ds], "X").holds


@pytest.mark.parametrize(
    ("keyword", "wanted", "sentence"),
    [
        ("SeriesDescripton", "x", "did you mean SeriesDescription?"),
        ("Modality.KVP", "x", "Modality in Modality.KVP is not a sequence"),
        ("Modality", {"matchs": "x"}, "did you mean matches?"),
        ("Modality", {"matches": "("}, "a regular expression is wanted"),
        ("KVP", {"range": [5, 1]}, "smallest, largest"),
        ("KVP", {"range": 5}, "two numbers"),
        ("KVP", {"at_least": "much"}, "a number is wanted"),
        ("KVP", {"at_least": True}, "a number is wanted"),
        ("KVP", {"not": {"at_leest": 2}}, "did you mean at_least?"),
        ("KVP", {"present": "yes"}, "true or false"),
        ("KVP", [], "empty"),
        ("KVP", {}, "empty"),
        ("KVP", None, "present: false"),
        ("KVP", {"any": 1, "at_least": 2}, "stand alone"),
        ("KVP", {"at_least": 1, "not": {"any": 2}}, "outermost"),
    ],
)
def test_a_condition_that_cannot_be_understood(keyword: str, wanted: Any, sentence: str) -> None:
    with pytest.raises(ConditionError, match=sentence.replace("?", r"\?")):
        parse_conditions({keyword: wanted})


@given(
    order=st.permutations(range(6)),
    wanted=st.sampled_from(
        ["CT", ["CT", "MR"], {"any": "PT"}, {"not": {"all": "CT"}}, {"matches": "T$"}]
    ),
)
def test_the_order_of_the_images_does_not_matter(order: list[int], wanted: Any) -> None:
    headers = [CT, CT, CT, PT, PT, header()]
    condition = parse_condition("Modality", wanted)
    shuffled = condition.evaluate([headers[i] for i in order], "X")
    assert shuffled.holds == condition.evaluate(headers, "X").holds


def test_no_image_meets_no_condition() -> None:
    assert not parse_condition("Modality", {"not": "MR"}).evaluate([], "X").holds


def test_an_expression_without_end_is_given_up_and_does_not_hold() -> None:
    """`re` would take days for 40 characters; nobody would decide anything meanwhile."""
    endless = header(SeriesDescription="a" * 40 + "!")
    for wanted in ({"matches": "(a|aa)+$"}, {"not": {"matches": "(a|aa)+$"}}):
        finding = parse_condition("SeriesDescription", wanted).evaluate([endless] * 50, "PACS")
        assert not finding.holds
        assert "simplify the expression" in finding.wanted


@pytest.mark.parametrize(
    ("wanted", "negative"),
    [("x", False), ({"not": "x"}, True), ({"present": False}, True), ({"present": True}, False)],
)
def test_what_a_series_is_not_is_no_word_about_what_it_is(wanted: Any, negative: bool) -> None:
    assert parse_condition("ProtocolName", wanted).negative is negative
