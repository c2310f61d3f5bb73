"""Which stacks of a study become inputs of one job: the pure rule, on headers as scanners write."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from node.assembling.acquired import acquired_at
from node.config import RouteSettings
from node.routing.folder_decisions import explain_folder, read_folder
from node.routing.pairing import Group, partner_keys
from node.routing.rules import compile_rules
from pipelines import catalog
from tests.dual_echo import write_dual_echo
from tests.synthetic import write_ct_series

pytestmark = pytest.mark.skipif(
    "mr_to_ct" not in catalog.names(), reason="the pipeline of two inputs is not installed"
)
RULES = compile_rules(
    [
        RouteSettings(name="mr", pipeline="mr_to_ct", when={"Modality": "MR"}),
        RouteSettings(name="ct", pipeline="ldct_denoise", when={"Modality": "CT"}),
    ]
)


def groups(folder: Path) -> list[Group]:
    found = {
        id(group): group
        for series in explain_folder(read_folder(folder), RULES)
        for group in series.groups
    }
    return list(found.values())


def keys(folder: Path) -> list[tuple[str, ...]]:
    return sorted(tuple(member.key for member in group.members) for group in groups(folder))


@pytest.mark.parametrize("one_series", [True, False])
def test_both_echoes_make_one_job(tmp_path: Path, one_series: bool) -> None:
    write_dual_echo(tmp_path, one_series=one_series)
    (group,) = groups(tmp_path)
    assert list(group.sources) == ["IP", "OOP"]
    assert [len(uids) for uids in group.sources.values()] == [12, 12]
    assert len(group.series) == (1 if one_series else 2)
    assert (group.missing, group.verdict.accepted) == ((), True)
    assert "lie on one grid (12 slices) and were acquired 0.0 s apart" in group.sentence


def test_in_phase_alone_is_translated_and_says_so(tmp_path: Path) -> None:
    write_dual_echo(tmp_path, ("IP",))
    (group,) = groups(tmp_path)
    assert (list(group.sources), group.missing) == (["IP"], ("OOP",))
    assert group.verdict.accepted
    assert group.sentence == "No OOP that fits came with it; IP alone is translated."


def test_opposed_phase_alone_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    write_dual_echo(tmp_path, ("OOP",))
    (group,) = groups(tmp_path)
    assert not group.verdict.accepted
    assert "mr_to_ct takes IP + OOP, or IP" in group.verdict.reason
    assert "only OOP is here" in group.verdict.reason


APART: dict[str, tuple[dict[str, Any], str]] = {
    "another breath-hold": ({"AcquisitionTime": "101805"}, "120 s apart"),
    "just another breath-hold": ({"AcquisitionTime": "101636"}, "31 s apart"),
    "another frame": ({"FrameOfReferenceUID": "1.2.3.99"}, "frame of reference"),
    "another patient": ({"PatientID": "SOMEBODY-ELSE"}, "are of different patients"),
    "other pixels": ({"PixelSpacing": ["1.6", "1.6"]}, "apart"),
}


@pytest.mark.parametrize("case", APART)
def test_what_does_not_belong_together_is_not_paired(tmp_path: Path, case: str) -> None:
    attributes, words = APART[case]
    write_dual_echo(tmp_path, of_key={"OOP": attributes})
    assert keys(tmp_path) == [("IP",), ("OOP",)]
    (alone,) = [group for group in groups(tmp_path) if group.verdict.accepted]
    assert "The OOP of this study does not fit." in alone.sentence
    assert words in alone.sentence


UNUSABLE: dict[str, tuple[dict[str, Any], int | None, str]] = {
    "the gate refuses it": ({"BodyPartExamined": "HEAD"}, None, "The body part is HEAD"),
    "its slices are irregular": ({}, 5, "gap of about 1 slice:"),
}


@pytest.mark.parametrize("one_series", [True, False])
@pytest.mark.parametrize("case", UNUSABLE)
def test_what_is_wrong_with_the_other_phase_is_said(
    tmp_path: Path, case: str, one_series: bool
) -> None:
    attributes, without, words = UNUSABLE[case]
    files = write_dual_echo(tmp_path, one_series=one_series, of_key={"IP": attributes})
    if without is not None:
        files["IP"][without].unlink()
    (group,) = groups(tmp_path)
    assert [member.key for member in group.members] == ["OOP"]
    assert "of these only OOP can be used. The IP of this study cannot" in group.verdict.reason
    assert words in group.verdict.reason
    assert "only OOP is here" not in group.verdict.reason


@pytest.mark.parametrize("dates", [{}, {"IP": "20250310", "OOP": "20250311"}])
@pytest.mark.parametrize("times", [("235958", "000003"), ("235945.5", "000010.5")])
def test_a_breath_hold_across_midnight_is_one_where_only_series_have_dates(
    tmp_path: Path, dates: dict[str, str], times: tuple[str, str]
) -> None:
    of_key = {
        key: {"AcquisitionTime": time, "AcquisitionDate": "", "SeriesDate": dates.get(key, "")}
        for key, time in zip(("IP", "OOP"), times, strict=True)
    }
    write_dual_echo(tmp_path, of_key=of_key)
    (group,) = groups(tmp_path)
    assert list(group.sources) == ["IP", "OOP"]
    apart = {"235958": "5.0", "235945.5": "25.0"}[times[0]]
    assert f"acquired {apart} s apart" in group.sentence


@pytest.mark.parametrize("time", ["101635", ""])
def test_30_seconds_are_one_breath_hold_and_unknown_times_no_obstacle(
    tmp_path: Path, time: str
) -> None:
    write_dual_echo(tmp_path, of_key={"OOP": {"AcquisitionTime": time, "AcquisitionDateTime": ""}})
    (group,) = groups(tmp_path)
    when = "30.0 s apart" if time else "at times that are not given"
    assert f"were acquired {when}" in group.sentence


def test_another_count_of_slices_is_not_paired(tmp_path: Path) -> None:
    files = write_dual_echo(tmp_path)
    files["OOP"][-1].unlink()
    assert keys(tmp_path) == [("IP",), ("OOP",)]


def test_of_two_breath_holds_each_is_paired_with_its_own(tmp_path: Path) -> None:
    uids = {"study": "1.2.3", "frame": "1.2.3.4"}
    write_dual_echo(tmp_path / "a", uids=uids, AcquisitionTime="101605")
    write_dual_echo(tmp_path / "b", uids=uids, AcquisitionTime="101625")
    found = groups(tmp_path)
    assert len(found) == 2
    for group in found:
        assert len({acquired_at(m.finding.stack.headers) for m in group.members}) == 1


@pytest.mark.parametrize(
    "echoes", [("1.22", "2.20", "3.18"), ("1.15", "2.3", "3.45", "4.6"), ("3.18", "2.20", "1.22")]
)
def test_of_more_than_two_echoes_the_nearest_are_paired(
    tmp_path: Path, echoes: tuple[str, ...]
) -> None:
    """3 T: opposed, in, opposed, in phase; the first opposed echo is as far as the second."""
    uids = {"study": "1.2.3", "frame": "1.2.3.4", "IP": "1.2.3.5"}
    unsaid: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "SeriesDescription": "T1 multi echo",
        "MagneticFieldStrength": "3",
    }
    for echo in echoes:
        write_dual_echo(tmp_path / echo, ("IP",), uids=uids, EchoTime=echo, **unsaid)
    found = {
        tuple(float(member.source.headers[0].EchoTime) for member in group.members)
        for group in groups(tmp_path)
        if len(group.members) == 2
    }
    assert found == ({(2.3, 1.15), (4.6, 3.45)} if "4.6" in echoes else {(2.2, 1.22)})
    left = [group.verdict.reason for group in groups(tmp_path) if len(group.members) == 1]
    assert all("goes with another OOP" in reason for reason in left)
    assert len(left) == (0 if "4.6" in echoes else 1)


def test_studies_are_never_mixed(tmp_path: Path) -> None:
    uids = {"frame": "1.2.3.4"}
    write_dual_echo(tmp_path / "a", ("IP",), uids=uids)
    write_dual_echo(tmp_path / "b", ("OOP",), uids=uids)
    assert keys(tmp_path) == [("IP",), ("OOP",)]


def test_an_input_of_one_is_a_group_of_its_own(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)
    (group,) = groups(tmp_path)
    assert (list(group.sources), group.missing, group.sentence) == (["CT"], (), "")
    assert partner_keys("ldct_denoise", "CT") == frozenset()
    assert partner_keys("mr_to_ct", "OOP") >= {"IP"}


def test_the_order_of_the_files_changes_nothing(tmp_path: Path) -> None:
    write_dual_echo(tmp_path)
    contents = read_folder(tmp_path)
    answers = set()
    for seed in range(4):
        shuffled = list(contents.instances)
        random.Random(seed).shuffle(shuffled)
        found = explain_folder(type(contents)(tuple(shuffled), 0, ()), RULES)
        answers.add(json.dumps(found[0].groups[0].to_json(), sort_keys=True))
    assert len(answers) == 1


def test_contradictory_hints_are_held_for_a_person_whatever_the_site_says(tmp_path: Path) -> None:
    odd = {"ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": "opposed phase"}
    write_dual_echo(tmp_path, ("IP",), of_key={"IP": odd})
    word = RouteSettings(
        name="mr", pipeline="mr_to_ct", when={"SeriesDescription": {"matches": "phase"}}
    )
    (series,) = explain_folder(read_folder(tmp_path), compile_rules([word]))
    (finding,) = series.explanation.stacks
    assert finding.outcome == "held", finding.reason
    assert "contradicts" in finding.reason
    assert series.groups[0].held == finding.reason
