from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pipelines import catalog
from pipelines.card import read_card
from tests.trainers.readers.gathered import gathered
from trainers.training.card import next_version, write_card


def test_a_card_names_the_data_set_by_digest_and_counts(tmp_path: Path) -> None:
    data_set = gathered(tmp_path / "set", ("train", "train", "validation", "test"))
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"new")
    path = write_card("ldct_denoise", tmp_path, weights, [tmp_path / "set"], None)
    card, served = read_card(path), catalog.card("ldct_denoise")
    assert card.weights.sha256 == hashlib.sha256(b"new").hexdigest()
    assert (card.version, card.evaluation) == (next_version(served.version), ())
    assert [(one.name, one.used_for) for one in card.training.trained_on] == [
        ("Own archive: 2 patients, 2 series, 8 images", "training"),
        ("Own archive: 1 patients, 1 series, 4 images", "validation"),
    ]
    assert all(data_set.sha256 in one.citation for one in card.training.trained_on)
    assert not [s.patient for s in data_set.series if s.patient in path.read_text()]
    assert card.inputs == served.inputs


def test_what_the_first_weights_had_seen_stays_on_the_card(tmp_path: Path) -> None:
    gathered(tmp_path / "set", ("train",))
    served, weights = catalog.card("ldct_denoise"), tmp_path / "weights.safetensors"
    shutil.copy(catalog.weights_path("ldct_denoise"), weights)
    card = read_card(write_card("ldct_denoise", tmp_path, weights, [tmp_path / "set"], weights))
    assert card.training.trained_on[:-1] == served.training.trained_on
    other = tmp_path / "other"
    other.write_bytes(b"other")
    card = read_card(write_card("ldct_denoise", tmp_path, weights, [tmp_path / "set"], other))
    assert hashlib.sha256(b"other").hexdigest() in card.training.trained_on[0].citation


def test_the_next_version() -> None:
    assert next_version("1.2.9") == "1.2.10"
