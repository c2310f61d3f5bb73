"""The calibration beside a model's weights: its usual inputs, and limits of quality."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import CardError

CALIBRATION_FILE = "calibration.json"
"""In the folder of a pipeline. Made by the trainers; says in itself how."""


def calibration_values(folder: Path, features: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Read the calibration of a pipeline.

    Args:
        folder: of the pipeline.
        features: what the pipeline measures of an input, in order.

    Returns:
        Its values, and the SHA-256 of the file.

    Raises:
        CardError: it is absent or was made for other features.
    """
    try:
        content = (folder / CALIBRATION_FILE).read_bytes()
        values = json.loads(content)
    except (OSError, ValueError) as error:
        raise CardError(f"The calibration of {folder.name} cannot be read: {error}.") from error
    if values["features"] != list(features):
        raise CardError(
            f"The calibration of {folder.name} should be for {', '.join(features)}, got "
            f"{', '.join(values['features'])}; make it again."
        )
    return values, hashlib.sha256(content).hexdigest()
