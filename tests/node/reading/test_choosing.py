from __future__ import annotations

from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_profiles.sources.source import Source
from node.reading.choosing import choose
from node.reading.errors import UnfitMaterial
from node.reading.key import Truth
from node.reading.material import Candidate


def candidate(patient: str, truth: Truth) -> Candidate:
    return Candidate(cast(Source, None), truth, patient)


def both(count: int) -> list[Candidate]:
    truths: tuple[Truth, ...] = ("real", "synthetic")
    return [candidate(f"P{n}", truth) for truth in truths for n in range(count)]


@given(st.integers(2, 30), st.integers(0, 8), st.integers(0, 1000))
def test_each_patient_is_seen_once_and_both_kinds_are_even(
    pairs: int, real_only: int, seed: int
) -> None:
    given_cases = both(pairs) + [candidate(f"R{n}", "real") for n in range(real_only)]
    chosen = choose(given_cases, seed, pairs=False)
    seen = Counter(one.patient for one in chosen)
    assert set(seen.values()) == {1}
    assert len(seen) == pairs + real_only
    kinds = Counter(one.truth for one in chosen)
    assert abs(kinds["real"] - kinds["synthetic"]) <= max(1, real_only - pairs)


def test_the_lot_decides_who_is_shown_synthetic() -> None:
    def synthetic(seed: int) -> frozenset[str]:
        chosen = choose(both(10), seed, pairs=False)
        return frozenset(one.patient for one in chosen if one.truth == "synthetic")

    assert synthetic(1) == synthetic(1)
    assert len({synthetic(seed) for seed in range(20)}) > 15


def test_pairs_are_shown_when_asked_for() -> None:
    assert len(choose(both(3), 0, pairs=True)) == 6


def test_both_kinds_are_needed() -> None:
    with pytest.raises(UnfitMaterial, match="got no synthetic one from 1 patient"):
        choose([candidate("P1", "real")], 0, pairs=False)
    with pytest.raises(UnfitMaterial, match="--pairs"):
        choose(both(1), 0, pairs=False)
