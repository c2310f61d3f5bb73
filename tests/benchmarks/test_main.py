from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks.__main__ import BENCHMARKS, main


def test_every_benchmark_is_a_module() -> None:
    assert all(find_spec(f"benchmarks.{name}") for name in BENCHMARKS)


@pytest.mark.parametrize(
    ("argument", "code", "said"),
    [("--help", 0, "benchmarks/results"), ("recieve", 2, "no benchmark 'recieve'")],
)
def test_who_asks_for_help_or_mistypes_starts_no_benchmark(
    capfd: pytest.CaptureFixture[str], argument: str, code: int, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([argument])
    assert ended.value.code == code
    out, err = capfd.readouterr()
    assert said in out + err
    assert "==" not in out  # the heading of a benchmark that runs
