from __future__ import annotations

import logging
import sys

import pytest
import torch
from torch import nn

from pipelines.engines.choose import choose_engine, proven
from pipelines.engines.torch_engine import TorchEngine
from pipelines.errors import EngineError
from tests.pipelines.networks import small_network


@pytest.fixture
def avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this processor is, it is taken for one without AVX-512."""
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")


@pytest.mark.parametrize(
    ("capability", "maker", "taken"),
    [
        ("AVX2", "GenuineIntel", "ncnn"),
        ("AVX512", "GenuineIntel", "openvino"),
        ("AVX512", "AuthenticAMD", "ncnn"),
        ("DEFAULT", "", "ncnn"),
    ],
)
def test_the_fastest_proven_engine_is_taken_on_the_processor(
    capability: str, maker: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    monkeypatch.setattr("pipelines.engines.choose.processor_maker", lambda: maker)
    engine = choose_engine(small_network(), 1, "cpu")
    assert engine.facts.name == taken
    assert 0 < engine.facts.largest_difference < 0.1


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize(
    ("absent", "taken"), [(("ncnn",), "openvino"), (("ncnn", "openvino"), "torch")]
)
def test_an_engine_that_is_not_installed_is_passed_over(
    absent: tuple[str, ...],
    taken: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"pipelines.engines.{name}_engine", raising=False)
    with caplog.at_level(logging.WARNING):
        engine = choose_engine(small_network(), 1, "cpu")
    assert engine.facts.name == taken
    assert [record.__dict__["engine"] for record in caplog.records] == list(absent)


@pytest.mark.usefixtures("avx2")
def test_an_engine_that_is_made_for_other_networks_is_no_reason_to_warn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network, head = small_network(), small_network().head
    network.head = nn.Conv2d(head.in_channels, head.out_channels, 3, padding=1, groups=2)
    with caplog.at_level(logging.INFO):
        assert choose_engine(network, 1, "cpu").facts.name == "openvino"
    passed_over = [record for record in caplog.records if hasattr(record, "engine")]
    assert [(record.__dict__["engine"], record.levelname) for record in passed_over] == [
        ("ncnn", "INFO")
    ]


def test_an_engine_that_computes_something_else_is_refused() -> None:
    other = small_network()
    with torch.no_grad():
        other.tail.weight.mul_(1.01)
    with pytest.raises(EngineError, match="differs from the reference"):
        proven(TorchEngine(other, 1), TorchEngine(small_network(), 1), 1, 0.1)


def test_not_a_number_is_refused() -> None:
    other = small_network()
    with torch.no_grad():
        other.tail.weight.fill_(torch.nan)
    with pytest.raises(EngineError, match="differs"):
        proven(TorchEngine(other, 1), TorchEngine(small_network(), 1), 1, 0.1)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:x", ""])
def test_a_device_that_is_not_there_is_one_sentence(device: str) -> None:
    with pytest.raises(EngineError, match=r"^(A device is|cuda:99 was asked for)"):
        choose_engine(small_network(), 1, device)
