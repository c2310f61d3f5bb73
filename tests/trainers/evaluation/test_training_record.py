from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.phantom_series import phantom_series, write_nifti
from trainers.evaluation.training_record import RecordError, sha256, training_record
from trainers.ldct_denoise import Players, Settings, read_stacks
from trainers.training.run import Run


def test_the_record_is_made_from_the_runs_files(tmp_path: Path) -> None:
    sources = []
    for name in ("A_CT", "B_CT"):
        write_nifti(phantom_series(3, name=name), tmp_path)
        sources.append(f"x=2@{tmp_path / name}.nii.gz")
    settings = Settings(steps=5, device="cpu")
    with Run(settings, tmp_path / "run") as run:
        read_stacks(sources, settings, tmp_path / "run" / "bank")
        run.save(Players.of(run, settings).denoiser.weights())
    record = training_record(tmp_path / "run", sources[:1], sources[1:])
    assert record["weights_sha256"] == sha256(tmp_path / "run" / "weights.safetensors")
    assert record["settings"]["steps"] == 5
    assert [part["patient"] for part in record["data"]["training"]] == ["A"]
    assert record["data"]["validation"][0]["slices"] == 3
    assert str(tmp_path) not in str(record), "names, never paths"
    with pytest.raises(RecordError, match="one side"):
        training_record(tmp_path / "run", sources, sources[1:])
