from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from node.__main__ import main
from node.commands import train


def test_an_unknown_name_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("train", "evaluate"):
        assert main([command, "nothing"]) == 1
        assert f"nothing called 'nothing' to {command}" in capsys.readouterr().err


def test_modules_are_those_that_exist() -> None:
    spec = find_spec("trainers")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    for command in ("train", "evaluate"):
        for module in train.modules_for(command).values():
            assert (folder.parent / f"{module.replace('.', '/')}.py").is_file()


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `trainers` of its own in the current folder, first on the path of the child."""
    package = tmp_path / "trainers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    script = package / "ldct_denoise.py"
    script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(7)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return script


def test_arguments_and_exit_code_pass_through(
    trainer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "ldct_denoise", "--epochs", "3", "--help"]) == 7
    assert capfd.readouterr().out.strip() == "['--epochs', '3', '--help']"


def test_missing_packages_are_named(
    trainer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "NEEDED", ("torch", "no_such_package"))
    assert main(["train", "ldct_denoise"]) == 1
    said = capsys.readouterr().err
    assert "not installed (no_such_package)" in said
    # By folder, not by name: the package index has a program of somebody else under ours.
    assert "pip install -c requirements.lock -e '.[models,train]'" in said
