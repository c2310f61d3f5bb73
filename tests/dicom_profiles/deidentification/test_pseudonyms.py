from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_profiles.deidentification.pseudonyms import Pseudonyms, kept_salt
from dicom_profiles.errors import ProfileError

PSEUDONYMS = Pseudonyms(b"s" * 32)


@given(st.text(min_size=1), st.binary(min_size=32, max_size=40))
def test_the_same_salt_gives_the_same_names(patient: str, salt: bytes) -> None:
    one, again = Pseudonyms(salt), Pseudonyms(salt)
    assert one.patient(patient) == again.patient(patient)
    assert one.split(patient) == again.split(patient)
    assert one.uid(patient) == again.uid(patient)
    assert one.patient(f" {patient} ") == one.patient(patient)


def test_a_split_has_its_shares_and_is_another_for_another_salt() -> None:
    sides = Counter(PSEUDONYMS.split(f"patient {index}") for index in range(4000))
    assert sides["train"] == pytest.approx(3200, abs=120)
    assert sides["validation"] == pytest.approx(400, abs=80)
    assert sides["test"] == pytest.approx(400, abs=80)
    other = Pseudonyms(b"t" * 32)
    moved = [PSEUDONYMS.split(str(index)) != other.split(str(index)) for index in range(400)]
    assert 60 < sum(moved) < 220


def test_only_uids_of_the_standard_stay() -> None:
    assert PSEUDONYMS.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert PSEUDONYMS.uid("") == ""
    made = PSEUDONYMS.uid("1.2.840.113619.1")
    assert made.startswith("2.25.")
    assert len(made) <= 64
    assert made == PSEUDONYMS.uid("1.2.840.113619.1") != PSEUDONYMS.uid("1.2.840.113619.2")


def test_a_salt_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "salt"
    made, again = kept_salt(path), kept_salt(path)
    assert made.salt == again.salt
    assert path.stat().st_mode & 0o077 == 0
    assert kept_salt(tmp_path / "other").salt != made.salt
    assert "salt" not in repr(made)


def test_a_file_that_holds_no_salt_is_refused(tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(b"short")
    with pytest.raises(ProfileError, match="32 bytes or more, got 5"):
        kept_salt(tmp_path / "salt")
