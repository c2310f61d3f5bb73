from __future__ import annotations

import numpy as np

from dicom_profiles.volume import Volume
from pipelines import catalog, load
from tests.trainers.phantom_series import phantom_series
from trainers.evaluation.case import Case
from trainers.evaluation.served import model_facts, served
from trainers.metrics.measurement import EVERY_VOXEL


def test_the_served_pipeline_is_the_method() -> None:
    volume = Volume(phantom_series(3).slices, np.diag([3.0, 2.0, 2.0, 1.0]), "HU")
    one = Case("P", "a", {"CT": volume, "other": volume}, volume, {"all": EVERY_VOXEL})
    found = served("ldct_denoise", keys=("CT",), device="cpu")(one)
    wanted = load("ldct_denoise", "cpu")({"CT": volume}).volume.voxels
    np.testing.assert_array_equal(found, wanted)
    same = served("ldct_denoise", keys=("CT",), parameters={"strength": 0.0}, device="cpu")(one)
    np.testing.assert_allclose(same, volume.voxels, atol=1e-3)


def test_the_model_is_named_by_version_and_digest() -> None:
    card = catalog.card("ldct_denoise")
    assert model_facts("ldct_denoise") == {
        "pipeline": "ldct_denoise",
        "model": f"ldct_denoise@{card.version}",
        "weights_sha256": card.weights.sha256,
    }
