"""That a trained run is served again is tested with its trainer, in `test_ct_to_pet.py`."""

from __future__ import annotations

import torch

from trainers.publishing.ct_to_pet import averaged


def test_networks_are_averaged_weight_by_weight_and_count_as_often_as_they_are_named() -> None:
    first, second = ({"a": torch.full((2,), value), "b": torch.ones(1)} for value in (1.0, 4.0))
    mean = averaged([first, second, first])
    torch.testing.assert_close(mean, {"a": torch.full((2,), 2.0), "b": torch.ones(1)})
