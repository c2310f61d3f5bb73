from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.calibration import CALIBRATION_FILE, calibration_values
from pipelines.errors import CardError


def test_values_come_with_the_digest_of_the_file(tmp_path: Path) -> None:
    content = json.dumps({"features": ["size", "grain"], "amber_distance": 2.5}).encode()
    (tmp_path / CALIBRATION_FILE).write_bytes(content)
    values, digest = calibration_values(tmp_path, ("size", "grain"))
    assert values["amber_distance"] == 2.5
    assert digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("features", [("size",), ("grain", "size"), ()])
def test_other_features_or_another_order_are_refused(
    tmp_path: Path, features: tuple[str, ...]
) -> None:
    (tmp_path / CALIBRATION_FILE).write_text('{"features": ["size", "grain"]}')
    with pytest.raises(CardError, match="got size, grain; make it again"):
        calibration_values(tmp_path, features)


@pytest.mark.parametrize("content", [None, "", "not JSON"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / CALIBRATION_FILE).write_text(content)
    with pytest.raises(CardError, match=f"calibration of {tmp_path.name} cannot be read"):
        calibration_values(tmp_path, ("size",))
