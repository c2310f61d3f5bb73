from __future__ import annotations

import pytest
import torch

from trainers.training.errors import SettingsError
from trainers.training.precision import Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("auto", torch.float32),
        ("fp32", torch.float32),
        ("bf16", torch.bfloat16),
        ("fp16", torch.float16),
    ],
)
def test_networks_compute_in_what_was_asked_for(name: str, dtype: torch.dtype) -> None:
    precision = Precision(name, CPU)
    with precision.autocast():
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype
    assert precision.scaler().is_enabled() == (name == "fp16")


def test_another_precision_is_refused() -> None:
    with pytest.raises(SettingsError, match="--precision takes auto, bf16, fp16, fp32, got 'int8'"):
        Precision("int8", CPU)
