"""Every state has words, and none of them is a machine's name."""

from __future__ import annotations

import pytest

from node.assembling.assembly import EvidenceKind, SeriesState
from node.jobs.ledger import JobState
from node.web.words import (
    EVIDENCE_KINDS,
    SERIES_WORDING,
    evidence_kind,
    job_wording,
    series_wording,
    verdict_wording,
)

TONES = {"good", "busy", "wait", "attention", "refused", "quiet", "bad"}


@pytest.mark.parametrize("state", list(JobState))
def test_every_job_state_has_words(state: JobState) -> None:
    wording = job_wording(str(state))
    assert wording.tone in TONES
    assert wording.sentence.endswith(".")


def test_every_series_state_and_every_kind_of_evidence_has_words() -> None:
    assert set(SERIES_WORDING) == {str(state) for state in SeriesState}
    assert set(EVIDENCE_KINDS) == {str(kind) for kind in EvidenceKind}
    assert all(series_wording(state) == words for state, words in SERIES_WORDING.items())
    assert all(evidence_kind(kind) == words for kind, words in EVIDENCE_KINDS.items())
    assert {wording.tone for wording in SERIES_WORDING.values()} <= TONES


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [("GREEN", "good"), ("AMBER", "attention"), ("RED", "bad"), ("UNGATED", "bad")],
)
def test_every_verdict_has_words(verdict: str, tone: str) -> None:
    assert verdict_wording(verdict).word == verdict.capitalize()
    assert verdict_wording(verdict).tone == tone


def test_what_is_new_to_us_is_shown_by_its_name() -> None:
    assert series_wording("PARKED").word == "Parked"
    assert evidence_kind("mpps_count") == "Mpps count"
    assert verdict_wording("").word == "None"
