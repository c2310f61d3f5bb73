from __future__ import annotations

import hashlib
import os
from itertools import product
from pathlib import Path

import pytest

from node.reading.errors import ReadingError, WrongKey
from node.reading.key import CaseTruth, Key, open_key, write_key
from tests.node.reading.conftest import Made


def test_the_published_digest_is_that_of_the_file(made: Made) -> None:
    digest = hashlib.sha256(made.key.read_bytes()).hexdigest()
    assert digest == made.reading.study.key_sha256
    key = open_key(made.key, made.reading.study)
    assert key.counts() == {"real": 2, "synthetic": 2}
    assert made.key.stat().st_mode & 0o077 == 0


def test_a_changed_key_is_refused(made: Made, tmp_path: Path) -> None:
    text = made.key.read_text()
    swapped = text.replace('"real"', '"x"').replace('"synthetic"', '"real"')
    for changed in (swapped, text + " ", ""):
        other = tmp_path / "other.key"
        other.write_text(changed)
        with pytest.raises(WrongKey, match="was changed"):
            open_key(other, made.reading.study)
    with pytest.raises(WrongKey, match="cannot be read"):
        open_key(tmp_path / "nowhere.key", made.reading.study)


def test_a_key_is_never_overwritten(made: Made) -> None:
    key = open_key(made.key, made.reading.study)
    with pytest.raises(ReadingError, match="never overwritten"):
        write_key(key, made.key)


def test_a_key_is_synced_name_and_all(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading appears after it; without its key it is worth nothing."""
    key = open_key(made.key, made.reading.study)
    synced, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, path.is_file() and path.read_bytes() == key.to_bytes()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_key(key, tmp_path / "again.key")
    assert synced == [(tmp_path / "again.key", True), (tmp_path, False)]


def test_a_digest_alone_makes_no_key(made: Made, tmp_path: Path) -> None:
    """Somebody changed `study.json` so that its digest fits another file, or other cases."""
    study = made.reading.study
    for changes in ({"name": "chest-2"}, {"cases": study.cases[1:]}):
        with pytest.raises(WrongKey, match="other cases"):
            open_key(made.key, study.model_copy(update=changes))
    (tmp_path / "no.key").write_bytes(b"{}")
    digest = hashlib.sha256(b"{}").hexdigest()
    with pytest.raises(WrongKey, match="is no key"):
        open_key(tmp_path / "no.key", study.model_copy(update={"key_sha256": digest}))


def test_the_digest_cannot_be_guessed_back_to_the_truth(made: Made) -> None:
    """All 16 truths of four cases, with everything else known but the random number."""
    key, commitment = open_key(made.key, made.reading.study), made.reading.study.key_sha256
    for truths in product(("real", "synthetic"), repeat=len(key.cases)):
        cases = {
            token: CaseTruth.model_validate({**case.model_dump(), "truth": truth})
            for (token, case), truth in zip(key.cases.items(), truths, strict=True)
        }
        guess = Key(name=key.name, seed=key.seed, resampled=key.resampled, cases=cases)
        assert guess.commitment() != commitment
    assert key.commitment() == commitment
