from __future__ import annotations

import pytest

from pipelines.contract import EngineFacts
from pipelines.errors import RecordNotReady
from pipelines.recording import AfterLastSlice, recorded

ENGINE = EngineFacts("torch", "cpu", "any", "fp32", {}, 0.0)


class AmberMeter:
    def verdict(self) -> tuple[str, tuple[str, ...]]:
        return "AMBER", ("It is dark.",)

    def input_distance(self) -> float:
        return 1.23456789

    def measurements(self) -> dict[str, float]:
        return {"brightness_hu": 3.0}


def test_a_value_is_given_once_it_is_there() -> None:
    awaited: AfterLastSlice[int] = AfterLastSlice("The count")
    with pytest.raises(RecordNotReady, match=r"The count is there only after the last slice\."):
        awaited()
    awaited.set(0)
    assert awaited() == 0


def test_the_record_says_what_the_meter_found_of_which_model() -> None:
    parameters = {"strength": 1.0}
    record = recorded(AmberMeter(), parameters, {"name": "one"}, ENGINE, 7)
    assert record.to_json() == {
        "verdict": "AMBER",
        "reasons": ["It is dark."],
        "input_distance": 1.2346,
        "measurements": {"brightness_hu": 3.0},
        "parameters": parameters,
        "model": {"name": "one"},
        "engine": {
            "name": "torch",
            "device": "cpu",
            "hardware": "any",
            "precision": "fp32",
            "versions": {},
            "largest_difference": 0.0,
        },
        "slices": 7,
    }
    parameters["strength"] = 0.5  # what is recorded stays
    assert record.parameters == {"strength": 1.0}
