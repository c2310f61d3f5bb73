"""Every engine against the reference: same values, same order, any size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.engines.engine import Engine, slabs
from pipelines.engines.ncnn_engine import NcnnEngine
from pipelines.engines.openvino_engine import OpenVinoEngine
from pipelines.engines.torch_engine import CudaEngine, TorchEngine
from tests.pipelines.networks import phantom, run, small_network

MAKERS: dict[str, Callable[[], Engine]] = {
    "ncnn": lambda: NcnnEngine(small_network(), 1, threads=2),
    "openvino": lambda: OpenVinoEngine(small_network(), 1, threads=2),
}


@pytest.fixture(scope="module")
def reference() -> Engine:
    return TorchEngine(small_network(), 1)


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    return MAKERS[request.param]()


def test_it_changes_the_values_at_all(reference: Engine) -> None:
    images = phantom()
    assert np.abs(np.stack(run(reference, images)) - images).mean() > 5


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(slices=st.integers(1, 4), rows=st.integers(1, 70), columns=st.integers(1, 70))
def test_any_size_within_a_tenth_of_a_hu(
    engine: Engine, reference: Engine, slices: int, rows: int, columns: int
) -> None:
    images = phantom(slices, rows, columns)
    wanted, got = run(reference, images), run(engine, images)
    assert len(got) == slices
    assert got[0].shape == (rows, columns)
    assert got[0].dtype == np.float32
    np.testing.assert_allclose(np.stack(got), np.stack(wanted), atol=0.1)


def test_slices_come_in_order(engine: Engine) -> None:
    # padding passes the network unchanged, so a slice of it carries its own number through
    images = np.stack([np.full((16, 16), -2000.0 - i, np.float32) for i in range(23)])
    assert [float(image[0, 0]) for image in run(engine, images)] == [-2000.0 - i for i in range(23)]


def test_results_are_the_callers_own(engine: Engine) -> None:
    first, *_ = run(engine, phantom(3))
    kept = first.copy()
    run(engine, phantom(3) + 500)
    np.testing.assert_array_equal(first, kept)


def test_closing_early_leaves_no_thread(engine: Engine) -> None:
    results = engine.run(slabs(phantom(20), 1, engine.batch))
    next(results)
    results.close()


def test_facts_say_what_ran(engine: Engine) -> None:
    assert engine.facts.device == "cpu"
    assert engine.facts.precision == "fp32"
    assert engine.facts.name in engine.facts.versions


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_agrees_within_its_precision(reference: Engine) -> None:
    images = phantom(40)
    got = run(CudaEngine(small_network(), 1, "cuda:0"), images)
    np.testing.assert_allclose(np.stack(got), np.stack(run(reference, images)), atol=5.0)
