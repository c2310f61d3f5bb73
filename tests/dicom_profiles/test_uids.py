from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from dicom_profiles import uids

IDENTITY = {"model": "m", "weights_sha256": "ab"}


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.one_of(st.text(), st.integers(), st.booleans(), FINITE), max_size=5))
def test_uids_are_valid_and_repeatable(facts: list[object]) -> None:
    uid = uids.derive_uid(*facts)
    assert UID(uid).is_valid
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert uids.derive_uid(*facts) == uid


@given(st.lists(st.text("0123456789.", min_size=1), min_size=1, unique=True))
def test_a_series_uid_does_not_depend_on_the_order_of_its_sources(sources: list[str]) -> None:
    shuffled = sorted(sources, key=hash)
    assert uids.series_uid("DEN", sources, IDENTITY) == uids.series_uid("DEN", shuffled, IDENTITY)


def test_whatever_differs_gives_another_uid() -> None:
    made = [
        uids.series_uid("DEN", ["1", "2"], IDENTITY),
        uids.series_uid("DEN", ["1"], IDENTITY),
        uids.series_uid("SCT", ["1", "2"], IDENTITY),
        uids.series_uid("DEN", ["1", "2"], {**IDENTITY, "model": "n"}),
        uids.job_uid(["1", "2"], IDENTITY),
        uids.instance_uid("1.2", 0, "aa"),
        uids.instance_uid("1.2", 1, "aa"),
        uids.instance_uid("1.2", 0, "ab"),
        uids.instance_uid("1.3", 0, "aa"),
    ]
    assert len(set(made)) == len(made)


def test_equal_facts_are_one_text_whatever_their_order_and_letters() -> None:
    assert uids.canonical_json({"b": [1, None], "a": "ü"}) == '{"a":"\\u00fc","b":[1,null]}'
    with pytest.raises(ValueError, match="JSON compliant"):
        uids.canonical_json({"noise": float("nan")})


def test_what_a_uid_stands_for_never_changes() -> None:
    version = uids.PROFILE_VERSION
    made = uids.series_uid("DEN", ["2", "1"], IDENTITY)
    assert made == uids.derive_uid("series", version, "DEN", ["1", "2"], IDENTITY)
    assert uids.instance_uid("1.2", 7, "aa") == uids.derive_uid("instance", "1.2", 7, "aa")
    assert uids.job_uid(["2", "1"], IDENTITY) == uids.derive_uid("job", ["1", "2"], IDENTITY)


def test_the_namespace_never_changes() -> None:
    # UIDs in archives were made with it: this value is part of what others rely on.
    assert uids.derive_uid("device", "VSCANNER") == ("2.25.170581285834283048623877612268814996484")
