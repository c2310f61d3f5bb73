"""From cubes to uptake, with networks whose answers are known: each says one number everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.uptake import UptakeModel
from pipelines.ct_to_pet.weights import SINGLE, NetworkFacts, StoredNetwork
from tests.pipelines.ct_to_pet.bodies import simulated

SAYS = {SINGLE: 9.0, "legs": 1.0, "trunk": 2.0, "head": 3.0, "arms": 4.0}


class Constant(nn.Module):
    """Says one SUV."""

    def __init__(self, suv: float) -> None:
        super().__init__()
        self.suv = nn.Parameter(torch.tensor(suv))

    def forward(self, seen: Tensor) -> Tensor:
        """(B, 3, z, y, x) to (B, 1, z, y, x)."""
        return seen[:, :1] * 0 + self.suv


@pytest.fixture(scope="module")
def model() -> UptakeModel:
    networks = {
        name: StoredNetwork(
            NetworkFacts("residual_unet", (1,), 48, 16, True, name == "arms", 1), Constant(suv)
        )
        for name, suv in SAYS.items()
    }
    return UptakeModel(networks, "cpu", 1)


@pytest.fixture(scope="module")
def averages() -> np.ndarray:
    hu = simulated(3, "skull base to thigh", "down")[0]
    soft = np.clip(hu, -200, 300)
    return np.stack([hu, soft, soft * soft / 300]).astype(np.float32)


def values(**changed: float) -> Mapping[str, float]:
    return {"district_share": 1.0, "feather_mm": 0.0, "segmenter": 0.0} | changed


def test_each_district_is_made_by_its_own_model(model: UptakeModel, averages: np.ndarray) -> None:
    made = model.uptake(averages, values())
    assert made.segmenter == "geometric 1"
    for name, label in LABELS.items():
        inside = made.districts == label
        assert not inside.any() or np.allclose(made.suv[inside], SAYS[name], atol=1e-4)
    assert not made.suv[made.districts == 0].any()
    assert {1, 2} <= set(np.unique(made.districts))
    assert made.judged.simulated_only == ["arms"]
    assert made.judged.other is not None
    assert np.allclose(made.judged.other[made.judged.body], 9.0, atol=1e-4)


def test_single_model_and_mixture(model: UptakeModel, averages: np.ndarray) -> None:
    single = model.uptake(averages, values(district_share=0.0))
    body = single.judged.body
    assert np.allclose(single.suv[body], 9.0, atol=1e-4)
    assert single.judged.other is not None
    assert single.judged.other[body].max() < 5, "judged beside the district models"
    mixed = model.uptake(averages, values(district_share=0.25))
    legs = mixed.districts == LABELS["legs"]
    assert np.allclose(mixed.suv[legs], 0.75 * 9 + 0.25 * 1, atol=1e-4)


def test_feathered_border_lies_between_its_districts(
    model: UptakeModel, averages: np.ndarray
) -> None:
    made = model.uptake(averages, values(feather_mm=16.0))
    legs, trunk = made.districts == LABELS["legs"], made.districts == LABELS["trunk"]
    border = made.suv[legs][made.suv[legs] > 1 + 1e-3]
    assert border.size
    assert border.max() <= SAYS["arms"] + 1e-3
    assert made.suv[legs | trunk].min() >= 1 - 1e-4


def test_work_stops_where_progress_says_so(model: UptakeModel, averages: np.ndarray) -> None:
    class Stopped(Exception):  # noqa: N818 - no error
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        model.uptake(averages, values(), stop)


def test_every_window_of_every_network_is_told(model: UptakeModel, averages: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    model.uptake(averages, values(), lambda done, total: told.append((done, total)))
    (total,) = {total for _, total in told}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {done for done, _ in told} == set(range(total + 1))


def test_facts_are_of_all_engines_that_ran(
    model: UptakeModel, averages: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.uptake(averages, values())
    assert model.facts.device == "cpu"
    assert model.facts.largest_difference < 1e-4
    off = Mock(facts=replace(model.facts, largest_difference=0.25))
    monkeypatch.setitem(model._engines, "legs", off)
    assert model.facts.largest_difference == 0.25
