from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from node.working.warm import WarmPipelines
from pipelines.errors import WeightsError
from tests.node.smoothing import Smoothing


def noting(loaded: list[str]) -> Callable[[str], Smoothing]:
    """A loader that notes what it is asked for."""

    def load(name: str) -> Smoothing:
        loaded.append(name)
        return Smoothing()

    return load


def test_loaded_once() -> None:
    loaded: list[str] = []
    warm = WarmPipelines(noting(loaded))
    warm.preload(["ldct_denoise", "ldct_denoise"])
    for _ in range(3):
        with warm.use("ldct_denoise") as pipeline:
            assert pipeline.card.name == "ldct_denoise"
    assert loaded == ["ldct_denoise"]


def test_one_thread_at_a_time() -> None:
    warm, inside, most = WarmPipelines(lambda _name: Smoothing()), [0], [0]

    def work() -> None:
        with warm.use("ldct_denoise"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (WeightsError("It has other weights."), "It has other weights."),
        (KeyError("kernel"), "An error that nobody foresaw: KeyError in"),
    ],
)
def test_a_pipeline_that_cannot_be_loaded_does_not_keep_the_others_from_work(
    error: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    def load(name: str) -> Smoothing:
        if name == "broken":
            raise error
        return Smoothing()

    warm = WarmPipelines(load)
    warm.preload(["broken", "ldct_denoise"])
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert sentence in record.getMessage()
    assert vars(record)["pipeline"] == "broken"
    with pytest.raises(type(error)), warm.use("broken"):
        pass
    with warm.use("ldct_denoise") as pipeline:
        assert pipeline.card.name == "ldct_denoise"


def test_preloading_ends_when_the_worker_is_told_to_stop() -> None:
    loaded: list[str] = []
    warm = WarmPipelines(noting(loaded))
    warm.preload(["cesm_vce", "ldct_denoise", "mr_to_ct"], unless=lambda: len(loaded) == 1)
    assert loaded == ["cesm_vce"]
