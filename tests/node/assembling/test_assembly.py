from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.assembling.assembly import (
    ABORTED_FACTOR,
    ASK_AGAIN_S,
    QUESTION_S,
    SETTLE_S,
    EvidenceKind,
    PeerAnswer,
    SeriesFacts,
    decide,
    folder_evidence,
)
from node.assembling.positions import Positions
from node.config import AssemblySettings

T0 = datetime(2025, 3, 10, 10, 0, tzinfo=UTC)
SETTINGS = AssemblySettings(quiet_s=5, limit_s=600)
REGULAR = Positions(True)
GAP = Positions(False, "Slices are missing: 1 gap(s).")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def answer(count: int | None, instances: int = 100, asked_s: float = 1) -> PeerAnswer:
    return PeerAnswer(at(asked_s), instances, count)


FACTS = SeriesFacts(instances=100, opened=at(-20), last_received=T0, positions=REGULAR)
PENDING = PeerAnswer(at(1), 100, None, pending=True)


@pytest.mark.parametrize(
    ("facts", "seconds", "kind"),
    [
        (replace(FACTS, forced=True), 0.0, EvidenceKind.FORCED),
        (replace(FACTS, answer=answer(100)), 1.5, EvidenceKind.PEER_COUNT),
        (replace(FACTS, answer=answer(100), positions=Positions()), 1.5, EvidenceKind.PEER_COUNT),
        (replace(FACTS, answer=answer(100)), 0.5, None),  # still arriving
        (replace(FACTS, answer=answer(100, instances=99)), 2, None),  # an old answer
        (replace(FACTS, answer=answer(120)), 300, None),  # more are to come
        (replace(FACTS, answer=answer(120)), 581, EvidenceKind.LIMIT),
        (replace(FACTS, answer=answer(90)), 2, None),  # holds fewer: no evidence
        (replace(FACTS, answer=answer(90)), 6, EvidenceKind.NO_GAP),
        (replace(FACTS, answer=answer(None)), 6, EvidenceKind.NO_GAP),
        (replace(FACTS, answer=answer(100), positions=GAP), 300, None),
        (replace(FACTS, performed=100), 1.5, EvidenceKind.PERFORMED_STEP),
        (replace(FACTS, performed=100), 0.5, None),  # still arriving
        (replace(FACTS, performed=120), 300, None),  # more are to come
        (replace(FACTS, performed=120), 581, EvidenceKind.LIMIT),
        (replace(FACTS, performed=90), 6, EvidenceKind.NO_GAP),
        (replace(FACTS, performed=100, positions=GAP), 300, None),
        (replace(FACTS, positions=Positions(True, "", 100)), 1.5, EvidenceKind.IMAGE_COUNT),
        (replace(FACTS, positions=Positions(True, "", 120)), 6, EvidenceKind.NO_GAP),
        (replace(FACTS, positions=Positions(False, "gap", 100)), 6, None),
        (FACTS, 4.9, None),
        (FACTS, 5, EvidenceKind.NO_GAP),
        (replace(FACTS, positions=Positions(), released=True), 5, EvidenceKind.RELEASED),
        (replace(FACTS, positions=Positions()), 5, EvidenceKind.QUIET),
        (replace(FACTS, released=False), 5 * ABORTED_FACTOR - 0.1, None),
        (replace(FACTS, released=False), 5 * ABORTED_FACTOR, EvidenceKind.NO_GAP),
        (replace(FACTS, positions=GAP), 579, None),
        (replace(FACTS, positions=GAP), 580, EvidenceKind.LIMIT),
        (replace(FACTS, gone=3), 579, None),
        (replace(FACTS, gone=3), 580, EvidenceKind.LIMIT),
        (replace(FACTS, gone=3, answer=answer(100)), 1.5, EvidenceKind.PEER_COUNT),
        (replace(FACTS, can_ask=True), 5, None),  # asks first
        (replace(FACTS, can_ask=True, answer=PENDING), 5.5, None),
        (replace(FACTS, can_ask=True, answer=PENDING), 1 + QUESTION_S, EvidenceKind.NO_GAP),
        (replace(FACTS, last_received=at(589)), 589.5, None),  # the limit cuts no transfer
        (replace(FACTS, last_received=at(589)), 590, EvidenceKind.LIMIT),
    ],
)
def test_evidence(facts: SeriesFacts, seconds: float, kind: EvidenceKind | None) -> None:
    decision = decide(facts, SETTINGS, at(seconds))
    assert (decision.evidence.kind if decision.evidence else None) == kind
    assert decision.complete is (kind is not None)
    assert decision.reason


@pytest.mark.parametrize(
    ("facts", "seconds", "asks"),
    [
        (replace(FACTS, can_ask=True), 0.5, False),
        (replace(FACTS, can_ask=True), SETTLE_S, True),
        (replace(FACTS, can_ask=False), 2, False),
        (replace(FACTS, can_ask=True, answer=PENDING), 2, False),
        (replace(FACTS, can_ask=True, answer=answer(90, instances=90)), 2, True),
        (replace(FACTS, can_ask=True, answer=answer(120)), 2, False),
        (replace(FACTS, can_ask=True, answer=answer(120)), 1 + ASK_AGAIN_S, True),
        (replace(FACTS, can_ask=True, answer=answer(None)), 3, False),
        (replace(FACTS, can_ask=True, answer=answer(None)), 1 + ASK_AGAIN_S, False),
    ],
)
def test_when_the_sender_is_asked(facts: SeriesFacts, seconds: float, asks: bool) -> None:
    assert decide(facts, SETTINGS, at(seconds)).ask is asks


def test_what_is_missing_stays_a_finding_after_the_limit() -> None:
    facts = replace(FACTS, positions=GAP, answer=answer(120))
    evidence = decide(facts, SETTINGS, at(600)).evidence
    assert evidence is not None
    assert evidence.findings == ("The sender holds 120 images, 100 are here.", GAP.finding)
    assert evidence.to_json()["facts"] == {
        "instances": 100,
        "seconds_since_first": 620.0,
        "seconds_since_last": 600.0,
        "sender_count": 120,
        "performed_step_count": None,
        "slices_regular": False,
        "images_in_acquisition": None,
        "association_released": None,
    }


def test_while_waiting_it_says_why_and_until_when() -> None:
    decision = decide(replace(FACTS, answer=answer(120)), SETTINGS, at(6))
    until = at(580).astimezone()
    assert decision.reason == (
        f"The sender holds 120 images, 100 are here. Waiting until {until:%H:%M:%S} at most."
    )


FACTS_SPACE = st.builds(
    SeriesFacts,
    instances=st.integers(1, 200),
    opened=st.floats(-900, 0).map(at),
    last_received=st.just(T0),
    forced=st.booleans(),
    released=st.sampled_from([None, True, False]),
    can_ask=st.booleans(),
    answer=st.none()
    | st.builds(
        PeerAnswer,
        asked=st.floats(0, 20).map(at),
        instances=st.integers(1, 200),
        count=st.none() | st.integers(0, 200),
        pending=st.booleans(),
    ),
    positions=st.sampled_from([Positions(), REGULAR, GAP, Positions(True, "", 50)]),
)


@given(facts=FACTS_SPACE, seconds=st.floats(0, 1200))
def test_every_series_is_decided_at_the_limit_at_the_latest(
    facts: SeriesFacts, seconds: float
) -> None:
    decision = decide(facts, SETTINGS, at(seconds))
    assert decision.complete is (decision.evidence is not None)
    if not decision.complete:
        assert decision.again_at > at(seconds)
        assert seconds < max(SETTLE_S, SETTINGS.limit_s)
    late = decide(facts, SETTINGS, at(SETTINGS.limit_s + SETTLE_S))
    assert late.complete


@given(facts=FACTS_SPACE, seconds=st.floats(0, 0.99))
def test_only_a_person_interrupts_a_transfer(facts: SeriesFacts, seconds: float) -> None:
    assert decide(facts, SETTINGS, at(seconds)).complete is facts.forced


def test_a_folder_is_all_there_is() -> None:
    evidence = folder_evidence(12, GAP)
    assert evidence.findings == (GAP.finding,)
    assert evidence.sentence == "The folder holds 12 images."
    assert folder_evidence(1, Positions()).findings == ()


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (1, "The sender holds 1 image, and it is here."),
        (2, "The sender holds 2 images, and all are here."),
    ],
)
def test_one_image_is_told_as_one(count: int, sentence: str) -> None:
    facts = replace(FACTS, instances=count, answer=answer(count, instances=count))
    evidence = decide(facts, SETTINGS, at(6)).evidence
    assert evidence is not None
    assert evidence.sentence == sentence
    waiting = replace(FACTS, instances=1, answer=answer(2, instances=1))
    assert decide(waiting, SETTINGS, at(6)).reason.startswith(
        "The sender holds 2 images, 1 is here."
    )
