from __future__ import annotations

import errno
import os

import pytest

from trainers.training.errors import SourceError
from trainers.training.script import exit_code


def test_what_a_script_gives_is_its_exit_code() -> None:
    assert exit_code(lambda: None) == 0
    assert exit_code(lambda: 3) == 3


@pytest.mark.parametrize(
    "error", [SourceError("no such source"), FileNotFoundError("no such source")]
)
def test_a_foreseen_error_is_one_sentence(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def main() -> None:
        raise error

    assert exit_code(main) == 1
    assert capsys.readouterr().err == "error: no such source\n"


def test_a_full_disk_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert exit_code(main) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: No space left on device: make room where --out lies")
    assert len(said.splitlines()) == 1


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    assert exit_code(main) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    def main() -> None:
        raise ValueError("operands could not be broadcast")

    with pytest.raises(ValueError, match="broadcast"):
        exit_code(main)
