from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engines import hardware


def test_the_processor_has_a_name() -> None:
    assert hardware.processor_name()


def test_without_the_kernels_word_it_is_the_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "PROCESSOR_FACTS", tmp_path / "absent")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert hardware.processor_name() == "riscv64"
    assert hardware.processor_maker() == ""
    facts = "processor : 0\nvendor_id\t: GenuineRisc\nmodel name\t: Fast One 3000\n"
    (tmp_path / "absent").write_text(facts)
    assert hardware.processor_name() == "Fast One 3000"
    assert hardware.processor_maker() == "GenuineRisc"


def test_only_the_cores_that_we_may_use_count() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from pipelines.engines.hardware import cores; assert cores() == 1"
    subprocess.run([sys.executable, "-c", code], check=True)
