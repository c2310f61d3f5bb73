from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dicom_profiles.reading import group_series, read_instances
from dicom_profiles.sources.series import SourceInstance
from node.config import RouteSettings
from node.routing.rules import Explanation, Outcome, Rule, compile_rules, route_series
from tests.dual_echo import write_dual_echo
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series

UIDS: dict[str, Any] = {
    "study_uid": "1.2.3",
    "series_uid": "1.2.3.4",
    "frame_of_reference": "1.2.3.5",
}
PLAIN: dict[str, Any] = {  # nothing speaks for low dose
    "series_description": "Thorax 3.0",
    "ProtocolName": "Thorax",
    "CTDIvol": 12.0,
    "Exposure": "200",
}


def rules(*whens: dict[str, Any]) -> tuple[Rule, ...]:
    return compile_rules(
        [
            RouteSettings(name=f"route {n}", pipeline="ldct_denoise", when=when)
            for n, when in enumerate(whens, 1)
        ]
    )


def test_the_sites_word_makes_no_input_of_a_pipeline_with_several(tmp_path: Path) -> None:
    """What of IP, OOP and T1 it is, nobody said."""
    write_ct_series(tmp_path, **UIDS)
    word = {"SeriesDescription": {"matches": "."}}
    (rule,) = compile_rules([RouteSettings(name="mr", pipeline="mr_to_ct", when=word)])
    explanation = route_series([rule], read_instances(tmp_path).instances, "SCANNER")
    stack = only(explanation)
    assert (stack.outcome, stack.input_key) == (Outcome.REFUSED, "")
    assert "It is no input of mr_to_ct" in stack.reason


def test_a_series_without_a_readable_image_is_explained() -> None:
    explanation = route_series(rules({}), [], "SCANNER")
    assert (explanation.stacks, explanation.reason) == ((), "There are no images.")


def routed(folder: Path, *whens: dict[str, Any], source_ae: str = "SCANNER") -> Explanation:
    return route_series(rules(*whens), read_instances(folder).instances, source_ae)


def only(explanation: Explanation) -> Any:
    (stack,) = explanation.stacks
    return stack


def test_the_first_rule_that_takes_it_wins_and_all_are_listed(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)
    stack = only(routed(tmp_path, {"Modality": "MR"}, {"Modality": "CT"}, {}))
    assert stack.outcome == Outcome.TAKEN
    assert stack.taken_by.route == "route 2"
    assert [rule.takes for rule in stack.rules] == [False, True, True]
    assert stack.rules[0].conditions[0].found == "CT (12 of 12)"
    assert (stack.input_key, len(stack.source)) == ("CT", 12)


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        ({}, False),
        ({"Modality": "CT"}, False),
        ({"Modality": "CT", "Rows": 64}, False),
        ({"SeriesDescription": {"not": {"matches": "PET"}}}, False),  # says what it is not
        ({"CTDIvol": {"present": False}}, False),
        ({"SeriesDescription": {"matches": "Thorax"}}, True),  # the site's word
        ({"source_ae": "SCANNER"}, True),
        ({"CTDIvol": {"at_most": 15}}, True),
    ],
)
def test_what_is_not_recognised_needs_the_sites_word(
    tmp_path: Path, when: dict[str, Any], taken: bool
) -> None:
    write_ct_series(tmp_path, slices=12, **PLAIN)
    stack = only(routed(tmp_path, when))
    assert (stack.outcome == Outcome.TAKEN) is taken, stack.reason


def test_a_rule_sees_every_image(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=12)
    odd = read_instances(paths[-1]).instances[0]
    odd.header.KVP = "80"
    found = [*read_instances(paths[:-1]).instances, odd]
    explanation = route_series(rules({"KVP": 120}), found, "X")
    assert only(explanation).rules[0].conditions[0].found == "120 (11 of 12), 80 (1 of 12)"
    assert only(explanation).outcome == Outcome.UNROUTED


@pytest.mark.parametrize(
    "sign",
    [
        {"SyntheticData": "YES"},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "", "SYNTHETIC", "AI_DENOISED"]},
    ],
)
@pytest.mark.parametrize(
    ("modality", "outcome"), [("CT", Outcome.REFUSED), ("MR", Outcome.UNROUTED)]
)
def test_synthetic_images_are_refused_where_a_rule_asks_for_them(
    tmp_path: Path, sign: Any, modality: str, outcome: Outcome
) -> None:
    write_ct_series(tmp_path, slices=12, **sign)
    stack = only(routed(tmp_path, {"Modality": modality}))
    assert (stack.outcome, stack.gate) == (outcome, None)
    assert "synthetic" in stack.reason
    assert stack.signs


def test_what_a_rule_asks_for_and_does_not_recognise_is_refused(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12, **PLAIN)
    explanation = routed(tmp_path, {"Modality": "MR"}, {"Modality": "CT"})
    assert only(explanation).outcome == Outcome.REFUSED
    assert only(explanation).taken_by.route == "route 2"
    assert only(explanation).reason.startswith("Route 'route 2' does not take it: the images are")
    assert explanation.refused == explanation.stacks


def test_one_synthetic_image_is_enough(tmp_path: Path) -> None:
    found = list(read_instances(write_ct_series(tmp_path, slices=12)).instances)
    found[7].header.SyntheticData = "YES"
    assert only(route_series(rules({}), found, "X")).outcome == Outcome.UNROUTED


def test_the_gate_refuses_with_a_sentence(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12, BodyPartExamined="HEAD")
    stack = only(routed(tmp_path, {}))
    assert stack.outcome == Outcome.REFUSED
    assert stack.reason == stack.gate.reason
    assert "HEAD" in stack.reason


def test_a_gap_is_refused_with_the_place_of_it(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)[5].unlink()
    stack = only(routed(tmp_path, {}))
    assert stack.outcome == Outcome.REFUSED
    assert "gap of about 1 slice:" in stack.reason


def test_scouts_are_set_aside_when_the_rest_is_accepted(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=12, **UIDS)
    scout: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"],
    }
    write_ct_series(tmp_path / "b", slices=2, **UIDS, **scout)
    explanation = routed(tmp_path, {"SeriesDescription": {"matches": "LOW"}})
    assert [stack.outcome for stack in explanation.stacks] == [Outcome.TAKEN, Outcome.SET_ASIDE]
    assert "2 other image(s) were set aside (coronal CT localiser" in explanation.reason
    assert len(explanation.stacks[0].stack.instances) == 12


def test_what_is_taken_too_is_not_said_to_be_set_aside(tmp_path: Path) -> None:
    uids = {"study": "1.2.3", "frame": "1.2.3.5"}
    write_dual_echo(tmp_path / "a", one_series=True, uids=uids, SeriesInstanceUID="1.2.3.4")
    scout = {"IP": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}}
    uids["IP"] = "1.2.3.4"
    write_dual_echo(tmp_path / "b", ("IP",), slices=2, size=96, uids=uids, of_key=scout)
    route = RouteSettings(name="mr", pipeline="mr_to_ct", when={"Modality": "MR"})
    found = read_instances(tmp_path).instances
    explanation = route_series(compile_rules([route]), found, "X")
    taken, too, aside = explanation.stacks
    assert [taken.outcome, too.outcome] == [Outcome.TAKEN] * 2
    assert aside.outcome == Outcome.SET_ASIDE
    assert explanation.reason.endswith(f" 2 other image(s) were set aside ({aside.stack.label}).")


def test_the_explanation_says_who_takes_what(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)
    (taken,) = routed(tmp_path, {"Modality": "MR"}, {}).to_json()["stacks"]
    chosen = {name: taken[name] for name in ("route", "pipeline", "input", "outcome", "gate")}
    assert chosen == {
        **{"route": "route 2", "pipeline": "ldct_denoise", "input": "CT", "outcome": "taken"},
        "gate": {"accepted": True, "reasons": []},
    }
    assert [rule["input"] for rule in taken["rules"]] == ["CT", "CT"]
    failed, held = (rule["reason"] for rule in taken["rules"])
    assert failed == "Modality: wanted MR, found CT (12 of 12)."
    assert held == "All conditions hold, and the images are recognised (low_dose_ct)."
    (left,) = routed(tmp_path, {"Modality": "MR"}).to_json()["stacks"]
    assert [left[name] for name in ("route", "pipeline", "input", "gate")] == [None] * 4
    assert left["reason"] == f"No rule takes it. Nearest is 'route 1': {failed}"


def test_the_nearest_rule_is_one_for_this_modality(tmp_path: Path) -> None:
    """Without conditions every rule is as near; a mammography rule says nothing of an MR."""
    write_dual_echo(tmp_path, ("IP",), ContrastBolusAgent="Gadovist")
    routes = [RouteSettings(name=name, pipeline=name) for name in ("cesm_vce", "mr_to_ct")]
    found = read_instances(tmp_path).instances
    reason = only(route_series(compile_rules(routes), found, "X")).reason
    assert reason.startswith("No rule takes it. Nearest is 'mr_to_ct': ")
    assert "It was taken with contrast medium." in reason


def test_what_the_site_cannot_say_either_is_not_offered_to_it(tmp_path: Path) -> None:
    """A recombined mammogram is none of low energy, whatever a rule names."""
    write_mammogram(tmp_path / "one.dcm", ImageType=["ORIGINAL", "PRIMARY", "", "RECOMBINED"])
    found = read_instances(tmp_path).instances
    for when in ({"Modality": "MG"}, {"SeriesDescription": {"matches": "."}}):
        route = RouteSettings(name="mg", pipeline="cesm_vce", when=when)
        stack = only(route_series(compile_rules([route]), found, "X"))
        assert stack.outcome == Outcome.REFUSED
        assert stack.reason.endswith("Image Type says RECOMBINED.")


def test_when_every_stack_is_refused_there_is_one_job_that_says_so(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=12, BodyPartExamined="HEAD", **UIDS)
    write_ct_series(tmp_path / "b", slices=8, rows=96, BodyPartExamined="HEAD", **UIDS)
    explanation = routed(tmp_path, {})
    assert [stack.outcome for stack in explanation.stacks] == [Outcome.REFUSED] * 2
    assert [len(stack.stack.instances) for stack in explanation.refused] == [12]


def test_a_short_ct_is_told_what_would_make_it_a_whole_body(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12)
    route = RouteSettings(name="pet", pipeline="ct_to_pet", when={"Modality": "CT"})
    found = read_instances(tmp_path).instances
    explanation = route_series(compile_rules([route]), found, "X")
    assert "the images are not recognised as what ct_to_pet translates" in explanation.reason
    assert "From 850 mm on a CT counts as one of the whole body" in explanation.reason
    assert explanation.reason.endswith("sender: by these the site says so itself.")


def test_the_sites_word_takes_what_an_earlier_rule_would_hold_in_doubt(tmp_path: Path) -> None:
    """60 cm for attenuation correction: perhaps a whole body, perhaps not."""
    words = {"ProtocolName": "x", "StudyDescription": "x", "BodyPartExamined": ""}
    about: dict[str, Any] = {"spacing": (5.0, 3.0, 3.0), "series_description": "AC CT", **words}
    found = read_instances(write_ct_series(tmp_path, slices=121, **about)).instances

    def decided(*whens: dict[str, Any]) -> tuple[Outcome, str]:
        routes = [RouteSettings(name=str(w), pipeline="ct_to_pet", when=w) for w in whens]
        stack = only(route_series(compile_rules(routes), found, "X"))
        return stack.outcome, stack.taken_by.route

    modality: dict[str, Any] = {"Modality": "CT"}
    word: dict[str, Any] = {"SeriesDescription": "AC CT"}
    assert decided(modality) == (Outcome.HELD, str(modality))
    assert decided(modality, word) == (Outcome.TAKEN, str(word))


def test_a_person_may_ask_for_a_pipeline(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=12, **PLAIN)
    asked = Rule(RouteSettings(name="asked", pipeline="ldct_denoise"), (), asked_for=True)
    stack = only(route_series([asked], read_instances(tmp_path).instances, "X"))
    assert (stack.outcome, stack.rules[0].reason) == (
        Outcome.TAKEN,
        "A person asked for this pipeline.",
    )
    found = read_instances(write_ct_series(tmp_path / "made", slices=12, SyntheticData="YES"))
    assert only(route_series([asked], found.instances, "X")).outcome == Outcome.REFUSED


def test_without_routes_it_says_so(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=3)
    assert routed(tmp_path).reason == "No routes are configured."


def test_the_order_of_the_images_changes_nothing(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=9, **UIDS)
    write_ct_series(tmp_path / "b", slices=3, rows=96, **UIDS)
    found = list(read_instances(tmp_path).instances)
    first = route_series(rules({"Modality": "CT"}), found, "X").to_json()
    for seed in range(5):
        random.Random(seed).shuffle(found)
        assert route_series(rules({"Modality": "CT"}), found, "X").to_json() == first


def test_the_explanation_is_plain_json_without_patient_attributes(tmp_path: Path) -> None:
    write_ct_series(tmp_path, slices=3)
    text = json.dumps(routed(tmp_path, {"PatientID": "PHANTOM-1", "PatientName": "x"}).to_json())
    assert "Jürgen" not in json.loads(f"[{text}]")[0]["stacks"][0]["reason"]
    found = [
        condition["found"] for condition in json.loads(text)["stacks"][0]["rules"][0]["conditions"]
    ]
    assert found == ["present (3 of 3)"] * 2


@pytest.mark.parametrize("folder", ["odd", "syntaxes_cornerstone", "syntaxes_wg04", "cxr", "mg"])
def test_odd_files_get_an_answer(shared_data: Path, folder: str) -> None:
    contents = read_instances(shared_data / folder)
    for instances in group_series(contents.instances).values():
        assert answered(instances)


def answered(instances: list[SourceInstance]) -> bool:
    asked = Rule(RouteSettings(name="asked", pipeline="ldct_denoise"), (), asked_for=True)
    explanation = route_series([asked, *rules({"Modality": "CT"})], instances, "X")
    return all(stack.reason for stack in explanation.stacks)
