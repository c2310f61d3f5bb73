from __future__ import annotations

import openvino
import pytest

from pipelines.engines.openvino_engine import OpenVinoEngine
from tests.pipelines.networks import phantom, run, small_network


@pytest.fixture(scope="module")
def engine() -> OpenVinoEngine:
    return OpenVinoEngine(small_network(), 1)


def test_it_computes_in_fp32_wherever_it_runs(engine: OpenVinoEngine) -> None:
    run(engine, phantom(1, 20, 20))
    (compiled,) = engine._compiled.values()
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32


def test_only_the_last_size_stays_compiled(engine: OpenVinoEngine) -> None:
    for rows in (16, 24, 16):
        assert run(engine, phantom(1, rows, 20))[0].shape == (rows, 20)
    assert [shape[2] for shape in engine._compiled] == [16]
