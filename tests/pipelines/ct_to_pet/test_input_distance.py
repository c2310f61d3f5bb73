from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines import catalog
from pipelines.ct_to_pet.input_distance import (
    FEATURES,
    Calibration,
    KnownGroup,
    body_features,
    read_calibration,
)
from pipelines.ct_to_pet.network import channels, quantities
from pipelines.errors import CardError

SIZE = len(FEATURES)


def seen_of(hu: np.ndarray) -> np.ndarray:
    """What a network is shown of cubes that hold one value each."""
    return channels(np.stack([quantities(image) for image in hu.astype(np.float32)], axis=1))


def halves(one: float, other: float) -> np.ndarray:
    hu = np.full((10, 10, 10), one)
    hu[5:] = other
    return hu


def test_features_are_what_the_body_is_made_of() -> None:
    found = body_features(seen_of(halves(-100, 55)), np.ones((10, 10, 10), np.bool_))
    assert found is not None
    by_name = dict(zip(FEATURES, found, strict=True))
    assert by_name["fat"] == pytest.approx(0, abs=1e-6), "half of it: log odds 0"
    assert by_name["soft"] == pytest.approx(0, abs=1e-6)
    assert by_name["gas"] == by_name["bone"] == pytest.approx(np.log(0.005 / 0.995))
    assert by_name["fat_hu"] == pytest.approx(-10, abs=1e-3)
    assert by_name["soft_hu"] == pytest.approx(5.5, abs=1e-3)
    assert by_name["unevenness"] == pytest.approx(0, abs=0.2)


def test_features_are_those_that_the_calibration_was_made_of() -> None:
    """The limits of what counts as which tissue are part of the calibration."""
    hu = np.repeat([-1900, -410, -190, -40, -20, 0, 120, 140, 180, 3900], 100).reshape(10, 10, 10)
    seen = seen_of(hu.astype(np.float64))
    seen[2] = 0.04
    found = body_features(seen, np.ones((10, 10, 10), np.bool_))
    fifth = np.log(0.2 / 0.8)
    assert found is not None
    np.testing.assert_allclose(found, [fifth, fifth, fifth, fifth, -11.5, 6, np.log(3)], atol=2e-2)
    bare = body_features(seen_of(np.full((10, 10, 10), 1000.0)), np.ones((10, 10, 10), np.bool_))
    assert bare is not None
    assert (bare[FEATURES.index("fat_hu")], bare[FEATURES.index("soft_hu")]) == (-10, 5)


def test_only_the_body_counts() -> None:
    body = np.zeros((10, 10, 10), np.bool_)
    body[5:] = True
    found = body_features(seen_of(halves(-1000, 55)), body)
    assert found is not None
    assert found[FEATURES.index("gas")] < -5
    assert body_features(seen_of(halves(0, 0)), np.zeros_like(body)) is None


def test_the_nearest_known_kind_counts() -> None:
    near = KnownGroup("thighs", np.zeros(SIZE), np.eye(SIZE))
    far = KnownGroup("bodies", np.full(SIZE, 10.0), np.eye(SIZE))
    known = Calibration((far, near), 1.0, 2.0, "")
    assert known.distance(np.array([3.0, 4.0, *[0.0] * (SIZE - 2)])) == pytest.approx(5)


def test_calibration_beside_the_weights_is_read() -> None:
    folder = catalog.folder("ct_to_pet")
    known = read_calibration(folder)
    assert {group.name for group in known.groups} == {"thighs and pelves", "simulated bodies"}
    assert 0 < known.amber < known.red
    assert all(np.linalg.eigvalsh(group.precision).min() > 0 for group in known.groups)


def test_calibration_for_other_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot be read"):
        read_calibration(tmp_path)
    (tmp_path / "calibration.json").write_text(json.dumps({"features": ["weight"]}))
    with pytest.raises(CardError, match="got weight; make it again"):
        read_calibration(tmp_path)
