"""A job folder with a phantom series to work on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from node.steps.folder import JobFolder, JobInput
from tests.synthetic import write_ct_series


def job_folder(tmp_path: Path, slices: int = 5, **changes: object) -> JobFolder:
    paths = tuple(write_ct_series(tmp_path / "source", slices=slices))
    values: dict[str, object] = {
        "job_id": "x",
        "pipeline": "ldct_denoise",
        "model": "",
        "weights_sha256": "",
        "parameters": {},
        "sources": {"CT": paths},
        "created": datetime(2026, 5, 1, 12, tzinfo=UTC),
        "ae_title": "VSCANNER",
    }
    folder = JobFolder(tmp_path / "job")
    folder.prepare(JobInput(**{**values, **changes}))  # type: ignore[arg-type]
    return folder
